"""Reading a record: its headers and its value, checked against the stage's message."""

from typing import Any, Final

from pydantic import ValidationError

from schemas.envelope import Envelope
from schemas.ids import DOCUMENT, REQUEST, Ids
from schemas.json_values import holds_unstorable
from schemas.messages import ProcessDocument
from schemas.topics import MAX_MESSAGE_BYTES
from streams import failures
from streams.errors import InvalidMessage
from streams.stage import Reading, Work
from streams.wire import Incoming

_ESCAPE: Final = b"\\u"


class Decoder:
    """Reads records; `ids` signs the ids that outside producers leave to us."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids

    def work(self, stage: Reading[Any], record: Incoming) -> tuple[Any, Work]:
        """Returns: a record's message, and the step that it is an input of.

        Raises: InvalidMessage: it cannot be read, or is of a kind that this stage does not know.
        """
        message, envelope = self.read(stage, record)
        return message, stage.work(message, envelope, self._document(message, envelope), self._ids)

    def read(self, stage: Reading[Any], record: Incoming) -> tuple[Any, Envelope]:
        """Returns: a record's message and envelope; raises as `work` does."""
        if record.value is None or len(record.value) > MAX_MESSAGE_BYTES:
            raise InvalidMessage("bad_value", "The record's value is missing or above 1 MiB.")
        try:
            envelope = Envelope.from_headers(record.headers)
            name, _, version = envelope.schema_name.rpartition(".v")
            expected, _, known = stage.source.schema_name.rpartition(".v")
            if name != expected or not 1 <= int(version) <= int(known):
                detail = (
                    f"The header `schema` must be {stage.source.schema_name} or an older version."
                )
                raise InvalidMessage("unknown_schema", detail)
            message = stage.source.message.model_validate_json(record.value)
        except ValidationError as error:
            raise InvalidMessage("invalid_record", failures.explain(error)) from error
        # In JSON, only an escape can stand for what no row can hold; most values have none.
        doubtful = _ESCAPE in record.value and holds_unstorable(message.model_dump())
        if doubtful or holds_unstorable(envelope.model_dump()):
            raise InvalidMessage("nul_character", "A text holds the character U+0000; remove it.")
        return message, self._signed(envelope)

    def _signed(self, envelope: Envelope) -> Envelope:
        """Replace an outside producer's own request id by the signed one derived from it."""
        known = envelope.request_id
        if self._ids.verify(known, REQUEST, envelope.gpt_id):
            return envelope
        derived = self._ids.derive(REQUEST, envelope.gpt_id, "outside", known)
        correlation = envelope.correlation_id or known
        return envelope.model_copy(update={"request_id": derived, "correlation_id": correlation})

    def _document(self, message: Any, envelope: Envelope) -> str | None:  # noqa: ANN401
        document_id = getattr(message, "document_id", None)
        if document_id is None and isinstance(message, ProcessDocument):
            return self._ids.derive(DOCUMENT, envelope.gpt_id, envelope.request_id)
        if document_id is None or not self._ids.verify(document_id, DOCUMENT, envelope.gpt_id):
            return None  # A foreign id must not reach the ledger: its stage refuses it.
        return str(document_id)

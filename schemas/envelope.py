"""The headers of every record: who asked, for which tenant, what it is, where answers go."""

import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

GPT_ID_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
GptId = Annotated[str, StringConstraints(pattern=GPT_ID_PATTERN)]
_SCHEMA = re.compile(r"^(?P<name>[a-z][a-z0-9-]*)\.v(?P<version>[1-9][0-9]{0,3})$")

Headers = tuple[tuple[str, bytes], ...]


class Envelope(BaseModel):
    """What a record's headers say.

    `request_id` is a signed id, or a UUID that an outside producer chose; the first stage replaces
    the latter by the signed id derived from it. `part` counts the parts of long work, `attempt` how
    often the record was sent to its stage again. What bears a `batch_id` goes on the bulk topics.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    request_id: Annotated[str, StringConstraints(min_length=1, max_length=128)] = Field(
        alias="request-id"
    )
    gpt_id: GptId = Field(alias="gpt-id")
    schema_name: Annotated[str, StringConstraints(pattern=_SCHEMA.pattern)] = Field(alias="schema")
    subject: Annotated[str, StringConstraints(max_length=256)] | None = None
    correlation_id: Annotated[str, StringConstraints(max_length=256)] | None = Field(
        default=None, alias="correlation-id"
    )
    reply_to: Annotated[str, StringConstraints(max_length=249)] | None = Field(
        default=None, alias="reply-to"
    )
    fingerprint: Annotated[str, StringConstraints(max_length=64)] | None = None
    traceparent: Annotated[str, StringConstraints(max_length=64)] | None = None
    batch_id: Annotated[str, StringConstraints(max_length=128)] | None = Field(
        default=None, alias="batch-id"
    )
    part: int = Field(default=0, ge=0)
    attempt: int = Field(default=0, ge=0)

    @classmethod
    def from_headers(cls, headers: Mapping[str, bytes] | Iterable[tuple[str, bytes]]) -> Self:
        """Returns: the envelope of a record.

        Raises: pydantic.ValidationError: a header is missing or malformed, or is not UTF-8.
        """
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        return cls.model_validate({name: value for name, value in pairs if value is not None})

    def to_headers(self) -> Headers:
        """Returns: the headers, those without a value left out."""
        values = self.model_dump(by_alias=True, exclude_none=True)
        return tuple((name, str(value).encode()) for name, value in values.items())

    def of(self, schema_name: str, *, part: int = 0) -> Self:
        """Returns: the envelope of a record that follows from this one."""
        return self.model_copy(update={"schema_name": schema_name, "part": part, "attempt": 0})

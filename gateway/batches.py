"""Changes to batches: the record of each, put together from what a call brings, and its answer."""

import functools
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from gateway.answers import COLLECTION_WAIT_S
from gateway.deps import Call
from gateway.errors import NotFound, RequestFailed, TooLarge
from gateway.principal import Principal
from gateway.queries.scope import check_no_others
from gateway.state import State
from gateway.submission import Claim, Order, check_record, claim, fingerprint, submit
from schemas.api.batches import AddedDocument, BatchChange, DocumentData
from schemas.batches import Add, BatchEntry, ChangeBatch, Described, Many
from schemas.ids import BATCH, DOCUMENT, REQUEST
from schemas.messages import Link, StoredFile
from schemas.states import Status
from schemas.tables import BATCHES
from schemas.topics import CHANGE_BATCH

_FAULT: Final = 500
Step = Any
"""One of the steps that `schemas/batches.py:ChangeBatch` takes."""


def check_id(state: State, principal: Principal, batch_id: str) -> None:
    """Check that this id was handed out to this tenant. Raises: NotFound: it was not."""
    if not state.ids.verify(batch_id, BATCH, principal.gpt_id):
        raise NotFound("there is no such batch; check the id")


async def check_not_anothers(state: State, principal: Principal, batch_id: str) -> None:
    """Check that a batch of which a caller finds nothing is not there for somebody else.

    Raises:
        NotFound: it is another end user's.
    """
    await check_no_others(state.reader, principal, BATCHES.c.batch_id, batch_id)


def document_of(
    state: State, principal: Principal, batch_id: str, key: str, path: str | None = None
) -> AddedDocument:
    """Returns: the ids of a batch's document with this key, which the workers derive too."""
    gpt_id, ids = principal.gpt_id, state.ids
    request_id = ids.derive(REQUEST, gpt_id, batch_id, key)
    document_id = ids.derive(DOCUMENT, gpt_id, "document", request_id)
    return AddedDocument(path=path, key=key, document_id=document_id, request_id=request_id)


@dataclass(frozen=True, slots=True)
class Piece:
    """A document to add: where its bytes are, and what is said of it.

    `what` names its content in the fingerprint: the bytes of a repeat lie under another key.
    """

    source: StoredFile | Link
    what: str
    path: str | None
    filename: str | None
    key: str
    data: DocumentData


@dataclass(slots=True)
class Target:
    """The batch that one call changes, and what the call has brought for it so far."""

    state: State
    call: Call
    claimed: Claim
    batch_id: str
    pieces: list[Piece] = field(default_factory=list)
    stored: list[str] = field(default_factory=list)
    """Keys of what was stored for it, to be removed where no record names them."""

    @classmethod
    def new(cls, state: State, call: Call) -> "Target":
        """Returns: a batch that the call makes."""
        claimed = claim(state, call)
        gpt_id = call.principal.gpt_id
        return cls(
            state, call, claimed, state.ids.derive(BATCH, gpt_id, "batch", claimed.request_id)
        )

    @classmethod
    def of(cls, state: State, call: Call, batch_id: str) -> "Target":
        """Returns: the batch of this id. Raises: NotFound: it was not handed out."""
        check_id(state, call.principal, batch_id)
        return cls(state, call, claim(state, call), batch_id)

    def next_key(self) -> str:
        """Returns: the key of the next document where the client gives none: its place."""
        return f"{self.claimed.request_id}/{len(self.pieces)}"

    def document(self, key: str, path: str | None = None) -> AddedDocument:
        """Returns: the ids of the document with this key."""
        return document_of(self.state, self.call.principal, self.batch_id, key, path)

    def store_key(self, name: str) -> str:
        """Returns: a new key to store a file of the batch itself under."""
        gpt_id = self.call.principal.gpt_id
        return f"{gpt_id}/batches/{self.batch_id}/uploads/{uuid.uuid4().hex}/{name}"

    async def discard(self) -> None:
        """Remove what was stored."""
        for key in self.stored:
            await self.state.storage.delete(key)

    def addition(self, many: Sequence[Many], defaults: DocumentData | None) -> Add:
        """Returns: the step that adds all of it."""
        entries = tuple(
            BatchEntry(
                source=piece.source,
                filename=piece.filename,
                path=piece.path,
                key=piece.key,
                **piece.data.over(defaults),
            )
            for piece in self.pieces
        )
        return Add(entries=entries, many=tuple(many))

    async def ordered(self, steps: Sequence[Step], said: object = None) -> BatchChange:
        """Publish the steps as one record, and wait for what becomes of them, by default 10 s.

        Args:
            steps: what is to be done, in this order.
            said: what the call said of archives, for the fingerprint.

        Returns: the change, completed or not final yet.

        Raises:
            RequestFailed: it failed; the client gets its problem as the answer.
            TooLarge: it does not fit one record.
        """
        message = ChangeBatch(batch_id=self.batch_id, steps=tuple(steps))
        order = Order(
            topic=CHANGE_BATCH,
            key=self.batch_id,
            message=message,
            fingerprint=fingerprint(self.call, {"steps": self._said(steps), "said": said}),
            document_id=None,
            unused=functools.partial(Target.discard, self),
        )
        try:
            check_record(message)
        except TooLarge:
            await self.discard()
            raise
        found = await submit(self.state, self.call, self.claimed, order, COLLECTION_WAIT_S)
        if found.status is Status.FAILED and found.problem is not None:
            if found.problem.status < _FAULT:
                # All of it was refused; what failed by a fault may be sent to its stage again.
                await self.discard()
            raise RequestFailed(found.problem, found.request_id)
        result = found.result or {}
        return BatchChange(
            batch_id=self.batch_id,
            **found.model_dump(
                include={"request_id", "status", "status_url", "retry_after_s", "correlation_id"}
            ),
            **{name: result.get(name) for name in ("state", "added", "known")},
            documents=[self.document(piece.key, piece.path) for piece in self.pieces],
        )

    def _said(self, steps: Sequence[Step]) -> list[Any]:
        """Returns: the steps without the keys that stored bytes got, which a repeat's have not."""
        contents = [piece.what for piece in self.pieces]
        return [
            [contents, step.model_dump(mode="json", exclude={"many": True, "entries": _SOURCES})]
            for step in steps
        ]


_SOURCES: Final = {"__all__": {"source"}}


def described(data: DocumentData | None) -> Described:
    """Returns: what is said of all documents, as records say it."""
    return Described(**DocumentData().over(data))

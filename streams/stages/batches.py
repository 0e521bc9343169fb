"""Batches: open them, add documents and sources to them, close, cancel and retry them.

Reads change-batch. Writes batches, batch_entries and batch_tallies; emits batch-source-added, from
which `expand` goes on, batch-cancelled for `cancel`, and redrive-dead-letters for a retry.
Documents are queued only: `streams/release.py` lets them in.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Row, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.batches import (
    Add,
    BatchCancelled,
    BatchEntry,
    BatchSourceAdded,
    Cancel,
    ChangeBatch,
    Close,
    Many,
    Open,
    Retry,
)
from schemas.envelope import Envelope
from schemas.events import EventType
from schemas.ids import BATCH, REQUEST, Ids
from schemas.messages import RedriveDeadLetters, StoredFile
from schemas.states import BatchState
from schemas.tables import BATCHES, GPTS
from streams import batch_counts, batch_entries, failures
from streams.batch_entries import Maker
from streams.errors import Refused
from streams.expanding import keys
from streams.stage import BatchStage, Event, Output, Taken, Verdict, Work

_TOGETHER: Final = 10
"""Records of one transaction, each of which may add 500 documents."""


def stage(ids: Ids, *, most_documents: int) -> BatchStage[ChangeBatch]:
    """Returns: the stage; no batch gets more than so many documents."""

    async def change(
        connection: AsyncConnection, taken: Sequence[Taken[ChangeBatch]]
    ) -> list[Verdict]:
        await _lock(connection, taken)
        return [await _verdict(connection, each, ids, most_documents) for each in taken]

    return BatchStage("batches", topics.CHANGE_BATCH, change, most=_TOGETHER)


async def _lock(connection: AsyncConnection, taken: Sequence[Taken[ChangeBatch]]) -> None:
    """Keep deletions of the tenants and all other changes of the batches waiting."""
    tenants = select(GPTS.c.gpt_id).where(GPTS.c.gpt_id.in_({each.work.gpt_id for each in taken}))
    batches = select(BATCHES.c.batch_id).where(
        BATCHES.c.batch_id.in_({each.message.batch_id for each in taken})
    )
    await connection.execute(
        tenants.order_by(GPTS.c.gpt_id).with_for_update(read=True, key_share=True)
    )
    await connection.execute(batches.order_by(BATCHES.c.batch_id).with_for_update())


async def _verdict(
    connection: AsyncConnection, taken: Taken[ChangeBatch], ids: Ids, most_documents: int
) -> Verdict:
    change = _Change(connection, taken.message.batch_id, taken.work, ids, most_documents)
    try:
        async with connection.begin_nested():
            result = await change.made(taken.message)
    except Refused as error:
        request_id = taken.work.request_id
        return Verdict(problem=failures.problem(error.code, error.detail, request_id, error.status))
    told = {name: value for name, value in result.items() if name != "entries"}
    return Verdict(result=result, told=told, outputs=change.outputs, events=change.events)


@dataclass
class _Change:
    """One record's steps, in their order; what refuses one of them undoes those before."""

    connection: AsyncConnection
    batch_id: str
    work: Work
    ids: Ids
    most_documents: int
    outputs: list[Output] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    added: int = 0
    entries: list[dict[str, Any]] = field(default_factory=list)

    async def made(self, message: ChangeBatch) -> dict[str, Any]:
        """Returns: the request's result. Raises: Refused."""
        if not self.ids.verify(self.batch_id, BATCH, self.work.gpt_id):
            raise _not_found()
        await self._require_tenant()
        for step in message.steps:
            match step:
                case Open():
                    await self._open(step)
                case Add():
                    await self._add(step)
                case Close():
                    await self._close()
                case Cancel():
                    await self._cancel()
                case Retry():
                    await self._retry(step)
        row = await self._row()
        known = len(self.entries) - self.added
        return {
            "batch_id": self.batch_id,
            "state": row.state,
            "added": self.added,
            "known": known,
            "entries": self.entries,
        }

    async def _require_tenant(self) -> None:
        query = select(GPTS.c.disabled_at, GPTS.c.deleted_at).where(
            GPTS.c.gpt_id == self.work.gpt_id
        )
        row = (await self.connection.execute(query)).one_or_none()
        if row is None or row.deleted_at is not None:
            raise Refused("gpt_disabled", "There is no such GPT.", 403)
        if row.disabled_at is not None:
            raise Refused("gpt_disabled", "The GPT is disabled.", 403)

    async def _row(self) -> Row[Any]:
        """Returns: the batch as it is now. Raises: Refused: it is none of the caller's."""
        query = select(BATCHES).where(
            BATCHES.c.batch_id == self.batch_id, BATCHES.c.gpt_id == self.work.gpt_id
        )
        row = (await self.connection.execute(query)).one_or_none()
        subject = self.work.envelope.subject
        if row is None or subject not in {None, row.subject}:
            raise _not_found()
        return row

    async def _open(self, step: Open) -> None:
        envelope = self.work.envelope
        entry = insert(BATCHES).values(
            batch_id=self.batch_id,
            gpt_id=self.work.gpt_id,
            subject=envelope.subject,
            request_id=self.work.request_id,
            correlation_id=envelope.correlation_id or self.work.request_id,
            name=step.name,
            metadata=step.metadata,
            state=BatchState.OPEN,
        )
        made = entry.on_conflict_do_nothing().returning(BATCHES.c.batch_id)
        if (await self.connection.execute(made)).one_or_none() is not None:
            self._tell(await self._row(), EventType.BATCH_CREATED)

    async def _add(self, step: Add) -> None:
        row = _open(await self._row())
        maker = Maker(self.ids, self.work.gpt_id, self.batch_id)
        entries = [self._entry(maker, place, each) for place, each in enumerate(step.entries)]
        if entries:
            statement = batch_entries.adding(self.work.gpt_id, self.batch_id, entries)
            now = (await self.connection.execute(statement)).one()
            if now.last_ordinal > self.most_documents:
                detail = f"A batch takes {self.most_documents:,} documents; open another one."
                raise Refused("too_many_documents", detail, 403)
            self.added += now.added
        for each, given in zip(entries, step.entries, strict=True):
            named = {"path": given.path, "key": given.key}
            ids = {"document_id": each.document_id, "request_id": each.request_id}
            self.entries.append({**named, **ids})
        for place, many in enumerate(step.many, row.last_source + 1):
            keys.check_source(many, self.work.gpt_id, self.work.envelope.subject)
            self._source(place, many)
        count = len(step.many)
        await self._set(last_source=row.last_source + count, sources=row.sources + count)

    def _entry(self, maker: Maker, place: int, given: BatchEntry) -> batch_entries.Entry:
        if isinstance(given.source, StoredFile):
            keys.check(given.source.key, self.work.gpt_id)
        name = (self.work.request_id, place) if given.key is None else (given.key,)
        return maker.of(given, given.source, *name, path=given.path, filename=given.filename)

    def _source(self, number: int, many: Many) -> None:
        message = BatchSourceAdded(batch_id=self.batch_id, number=number, many=many)
        envelope = self._envelope("source", number)
        self.outputs.append(Output(topics.BATCH_SOURCE_ADDED, self.batch_id, message, envelope))

    async def _close(self) -> None:
        row = await self._row()
        if row.state == BatchState.CANCELLED:
            raise _cancelled()
        if row.state != BatchState.OPEN:
            return
        closing = row.closings + 1
        await self._set(state=BatchState.CLOSED, closings=closing, closed_at=func.now())
        counts = await batch_counts.counts(self.connection, self.batch_id)
        self._tell(row, EventType.BATCH_CLOSED, closing=closing, counts=counts)
        completed = await batch_counts.settled(self.connection, self.batch_id)
        if completed is not None:
            self.events.append(completed)

    async def _cancel(self) -> None:
        row = await self._row()
        if row.state in {BatchState.COMPLETED, BatchState.CANCELLED}:
            return
        await self._set(
            state=BatchState.CANCELLED, closed_at=func.coalesce(row.closed_at, func.now())
        )
        message = BatchCancelled(batch_id=self.batch_id)
        envelope = self._envelope("cancel")
        self.outputs.append(Output(topics.BATCH_CANCELLED, self.batch_id, message, envelope))

    async def _retry(self, step: Retry) -> None:
        row = await self._row()
        if row.state == BatchState.CANCELLED:
            raise _cancelled()
        # A closing that is not told yet is told when this retry is over, too.
        again = row.state != BatchState.OPEN and row.closings == row.completed_closings
        values = {"state": BatchState.CLOSED, "closings": row.closings + 1, "completed_at": None}
        await self._set(sources=row.sources + 1, **(values if again else {}))
        message = RedriveDeadLetters(batch_id=self.batch_id, by=step.by)
        envelope = self._envelope(self.work.request_id, "retry", len(self.outputs))
        gpt_id = self.work.gpt_id
        self.outputs.append(Output(topics.REDRIVE_DEAD_LETTERS, gpt_id, message, envelope))

    async def _set(self, **values: Any) -> None:  # noqa: ANN401 - as the columns take them
        row = update(BATCHES).where(BATCHES.c.batch_id == self.batch_id)
        await self.connection.execute(row.values(**values, updated_at=func.now()))

    def _tell(self, row: Row[Any], kind: EventType, **more: JsonValue) -> None:
        data: dict[str, JsonValue] = {"name": row.name, **more}
        self.events.append(Event(kind, data, self.batch_id, self.batch_id, row.subject))

    def _envelope(self, *name: str | int) -> Envelope:
        """Returns: the headers of a record that follows; `name` makes it a step of its own."""
        gpt_id, envelope = self.work.gpt_id, self.work.envelope
        return envelope.model_copy(
            update={
                "request_id": self.ids.derive(REQUEST, gpt_id, "of batch", self.batch_id, *name),
                "correlation_id": envelope.correlation_id or self.work.request_id,
                "batch_id": self.batch_id,
                "reply_to": None,
                "fingerprint": None,
            }
        )


def _open(row: Row[Any]) -> Row[Any]:
    if row.state == BatchState.CANCELLED:
        raise _cancelled()
    if row.state != BatchState.OPEN:
        raise Refused("batch_closed", "The batch was closed and takes nothing more.", 409)
    return row


def _not_found() -> Refused:
    return Refused("not_found", "There is no such batch.", 404)


def _cancelled() -> Refused:
    return Refused("batch_cancelled", "The batch was cancelled.", 409)

"""Cancel: end every document of a cancelled batch that is not settled, whatever stage it is in.

Reads batch-cancelled. Writes documents, runs and requests, and the batch's counts; emits the
results. In parts: first what is queued, then what was begun, which ends at its next commit.
"""

from collections.abc import Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Row, Select, exists, func, literal, not_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.batches import BatchCancelled
from schemas.envelope import Envelope
from schemas.events import EventType
from schemas.ids import REQUEST, RUN, Ids
from schemas.messages import DocumentDeleted, ProcessDocument, Result, StoredFile
from schemas.states import FINAL, BatchState, EntryState, Status
from schemas.tables import BATCH_ENTRIES, BATCHES, DOCUMENTS, REQUESTS, RUNS
from streams import batch_counts, documents, parts
from streams.clients.postgres import Database
from streams.errors import Fenced, InvalidMessage
from streams.stage import Claim, Event, Guarded, Outcome, Output, Scope, Stage, Work

_MOST: Final = 200
"""Documents of one part; all of them are locked together."""
_FINAL: Final = tuple(str(status) for status in FINAL)
_LOCK: Final = text("""
SELECT pg_advisory_xact_lock(hashtextextended(id, 0)) FROM unnest(CAST(:ids AS text[])) AS id
""")


class Place(BaseModel):
    """How far it has come: the last document that was begun and is behind us."""

    model_config = ConfigDict(frozen=True)

    after: str = ""


def stage(database: Database, ids: Ids) -> Stage[BatchCancelled]:
    """Returns: the stage."""

    async def cancel(message: BatchCancelled, work: Work) -> Outcome:
        place = Place.model_validate(await parts.before(database, work) or {})
        async with database.transaction() as connection:
            batch = await _batch(connection, message.batch_id, work)
            queued = await _queued(connection, batch)
            early = await _deleted_early(connection, queued, batch)
            buried = await _buried(connection, queued)
            begun = [] if queued else await _begun(connection, batch, place)
            counts = await batch_counts.counts(connection, batch.batch_id)
        if queued:
            made = _never_begun(queued, early, buried, batch, ids)
        elif begun:
            made = _ended(begun)
            place = Place(after=begun[-1].document_id)
        else:
            data = {"name": batch.name, "counts": counts}
            told = Event(
                EventType.BATCH_CANCELLED, data, batch.batch_id, batch.batch_id, batch.subject
            )
            return Outcome(events=(told,))
        chosen = queued or begun
        document_ids = sorted(row.document_id for row in chosen)
        return Outcome(
            (_LOCK.bindparams(ids=document_ids), *made, *parts.noted(work, place)),
            [
                *(_answer(row, batch) for row in chosen),
                *(_purge(document_id, batch, ids) for document_id in sorted(early | buried)),
            ],
            hand_over=True,
            events=[
                Event(
                    EventType.DOCUMENT_CANCELLED,
                    object_id=row.document_id,
                    batch_id=batch.batch_id,
                    subject=batch.subject,
                )
                for row in chosen
            ],
            moved=document_ids,
        )

    return Stage(
        "cancel",
        topics.BATCH_CANCELLED,
        cancel,
        claim=Claim.AT_COMMIT,
        scope=Scope.NOTHING,
        request=topics.CHANGE_BATCH,
    )


async def _batch(connection: AsyncConnection, batch_id: str, work: Work) -> Row[Any]:
    """Raises: InvalidMessage: the batch was not cancelled; a record alone cancels nothing."""
    query = select(BATCHES).where(
        BATCHES.c.batch_id == batch_id,
        BATCHES.c.gpt_id == work.gpt_id,
        BATCHES.c.state == BatchState.CANCELLED,
    )
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        detail = "The batch that the record names was not cancelled."
        raise InvalidMessage("not_cancelled", detail)
    return row


async def _queued(connection: AsyncConnection, batch: Row[Any]) -> list[Row[Any]]:
    columns = BATCH_ENTRIES.c
    query: Select[Any] = (
        select(columns.document_id, columns.request_id, columns.order)
        .where(columns.batch_id == batch.batch_id, columns.state == EntryState.QUEUED)
        .order_by(columns.ordinal)
        .limit(_MOST)
    )
    return list((await connection.execute(query)).all())


async def _deleted_early(
    connection: AsyncConnection, queued: Sequence[Row[Any]], batch: Row[Any]
) -> set[str]:
    """Returns: documents that their owner deleted even before the batch had them as entries."""
    if not queued or batch.subject is None:
        return set()
    chosen = [row.document_id for row in queued]
    query = documents.early_deletions(batch.gpt_id, batch.subject, chosen)
    return set((await connection.execute(query)).scalars())


async def _buried(connection: AsyncConnection, queued: Sequence[Row[Any]]) -> set[str]:
    """Returns: documents whose tombstone came before the batch had them, by a key of the tenant.

    They were purged then without what the batch has of them.
    """
    return set(
        (await connection.execute(_tombstones([row.document_id for row in queued]))).scalars()
    )


def _tombstones(document_ids: Sequence[str]) -> Select[Any]:
    return select(DOCUMENTS.c.document_id).where(
        DOCUMENTS.c.document_id.in_(document_ids), DOCUMENTS.c.deleted_at.is_not(None)
    )


async def _begun(connection: AsyncConnection, batch: Row[Any], place: Place) -> list[Row[Any]]:
    """Returns: documents in work, those attached to the batch's own among them."""
    columns = DOCUMENTS.c
    query: Select[Any] = (
        select(
            columns.document_id,
            columns.run_id,
            func.coalesce(RUNS.c.request_id, columns.request_id).label("request_id"),
        )
        .outerjoin_from(DOCUMENTS, RUNS, RUNS.c.run_id == columns.run_id)
        .where(
            columns.batch_id == batch.batch_id,
            columns.document_id > place.after,
            columns.status.not_in(_FINAL),
            columns.deleted_at.is_(None),
        )
        .order_by(columns.document_id)
        .limit(_MOST)
    )
    return list((await connection.execute(query)).all())


def _never_begun(
    queued: Sequence[Row[Any]], early: set[str], buried: set[str], batch: Row[Any], ids: Ids
) -> list[Executable | Guarded]:
    """Returns: the statements that enter documents as cancelled before their first stage does."""
    chosen = [row.document_id for row in queued]
    # What is only a tombstone was deleted before the batch had it, and learns where its bytes are.
    known = exists().where(DOCUMENTS.c.document_id.in_(chosen), DOCUMENTS.c.run_id.is_not(None))
    of_batch = {
        "gpt_id": batch.gpt_id,
        "subject": batch.subject,
        "correlation_id": batch.correlation_id,
    }
    entered, requests = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in queued:
        order = ProcessDocument.model_validate(row.order)
        source = order.source
        entered.append(
            {
                **of_batch,
                "document_id": row.document_id,
                "request_id": row.request_id,
                "batch_id": batch.batch_id,
                "run_id": ids.derive(RUN, batch.gpt_id, row.request_id),
                "status": Status.CANCELLED,
                "filename": order.filename,
                "title": order.title,
                "metadata": order.metadata,
                "completed_at": func.now(),
                "deleted_at": func.now() if row.document_id in early else None,
                "s3_key": source.key if isinstance(source, StoredFile) else None,
            }
        )
        requests.append(
            {
                **of_batch,
                "request_id": row.request_id,
                "kind": topics.PROCESS_DOCUMENT.name,
                "status": Status.CANCELLED,
                "document_id": row.document_id,
                "completed_at": func.now(),
            }
        )
    entry = insert(DOCUMENTS).values(entered)
    # One that was let in meanwhile may be known, or its request be registered.
    settled = {"status": Status.CANCELLED, "updated_at": func.now(), "completed_at": func.now()}
    return [
        Guarded(select(literal(1)).where(not_(known)), Fenced()),
        *_still_all(early, chosen, batch),
        _as_many(_tombstones(chosen), buried),
        entry.on_conflict_do_update(
            index_elements=[DOCUMENTS.c.document_id],
            set_={"s3_key": entry.excluded.s3_key},
            where=DOCUMENTS.c.deleted_at.is_not(None),
        ),
        insert(REQUESTS)
        .values(requests)
        .on_conflict_do_update(index_elements=[REQUESTS.c.request_id], set_=settled),
    ]


def _still_all(early: set[str], chosen: Sequence[str], batch: Row[Any]) -> list[Guarded]:
    """Returns: what has the work done anew where another deletion came meanwhile."""
    if batch.subject is None:
        return []
    return [_as_many(documents.early_deletions(batch.gpt_id, batch.subject, chosen), early)]


def _as_many(found: Select[Any], known: set[str]) -> Guarded:
    count = select(func.count()).select_from(found.subquery()).scalar_subquery()
    return Guarded(select(literal(1)).where(count == len(known)), Fenced())


def _ended(begun: Sequence[Row[Any]]) -> list[Executable | Guarded]:
    """Returns: the statements that end runs in work, their documents and their requests."""
    runs = [row.run_id for row in begun]
    unsettled = DOCUMENTS.c.status.not_in(_FINAL) & DOCUMENTS.c.deleted_at.is_(None)
    still = (
        select(func.count())
        .where(
            DOCUMENTS.c.document_id.in_([row.document_id for row in begun]),
            DOCUMENTS.c.run_id.in_(runs),
            unsettled,
        )
        .scalar_subquery()
    )
    over = {"status": Status.CANCELLED, "completed_at": func.now()}
    return [
        Guarded(select(literal(1)).where(still == len(begun)), Fenced()),
        update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id.in_([row.document_id for row in begun]))
        .values(**over, updated_at=func.now()),
        update(RUNS).where(RUNS.c.run_id.in_(runs), RUNS.c.status.not_in(_FINAL)).values(**over),
        update(REQUESTS)
        .where(
            REQUESTS.c.request_id.in_([row.request_id for row in begun]),
            REQUESTS.c.status.not_in(_FINAL),
        )
        .values(**over, updated_at=func.now()),
    ]


def _answer(row: Row[Any], batch: Row[Any]) -> Output:
    message = Result(
        request_id=row.request_id, status=Status.CANCELLED, document_id=row.document_id
    )
    return Output(topics.RESULTS, row.request_id, message, _envelope(row.request_id, batch))


def _purge(document_id: str, batch: Row[Any], ids: Ids) -> Output:
    """Returns: the record that has a deleted document's bytes removed."""
    request_id = ids.derive(REQUEST, batch.gpt_id, batch.batch_id, "delete", document_id)
    message = DocumentDeleted(document_id=document_id)
    return Output(topics.DOCUMENT_DELETED, document_id, message, _envelope(request_id, batch))


def _envelope(request_id: str, batch: Row[Any]) -> Envelope:
    return Envelope(
        request_id=request_id,
        gpt_id=batch.gpt_id,
        # The record that it goes with has its own in this place.
        schema_name=topics.RESULTS.schema_name,
        subject=batch.subject,
        correlation_id=batch.correlation_id,
        batch_id=batch.batch_id,
    )

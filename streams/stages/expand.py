"""Expand: the files of an archive or under a prefix become documents of their batch, part by part.

Reads batch-source-added. Writes the object store, batch_entries with their tallies, and batches.
What cannot become a document is an entry that says why, and stops nothing else.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.batches import BatchSourceAdded
from schemas.ids import Ids
from schemas.states import BatchState
from schemas.tables import BATCHES
from streams import batch_entries, parts
from streams.batch_entries import Entry, Maker
from streams.clients.postgres import Database
from streams.errors import InvalidMessage, Refused
from streams.expanding import keys
from streams.expanding.archive import Limits
from streams.expanding.source import Part, Place, Source
from streams.expanding.trouble import Trouble
from streams.files import Files
from streams.stage import Guarded, Outcome, Scope, Stage, Work


def stage(
    database: Database,
    files: Files,
    ids: Ids,
    limits: Limits,
    *,
    most_documents: int,
    budget: timedelta,
) -> Stage[BatchSourceAdded]:
    """Returns: the stage; a part of its work is handed on after the budget."""

    async def expand(message: BatchSourceAdded, work: Work) -> Outcome:
        _check(message, work)
        batch = await _batch(database, message.batch_id, work.gpt_id)
        if batch is None:
            return Outcome()  # Its tenant was deleted; what was uploaded goes with that.
        place = Place.model_validate(await parts.before(database, work) or {})
        maker = Maker(ids, work.gpt_id, message.batch_id)
        source = Source(database, files, message, maker, limits)
        if batch.state == BatchState.CANCELLED or place.ended:
            await source.clean()
            listed = batch_entries.listed(work.gpt_id, message.batch_id)
            return Outcome((listed,), moved=(message.batch_id,))
        try:
            part = _fitting(await source.part(place, budget), most_documents - batch.last_ordinal)
        except Trouble as trouble:
            # The source as a whole goes no further.
            entry = batch_entries.refused(source.name, trouble.code, trouble.detail)
            part = Part([entry], place.model_copy(update={"ended": True}))
        return Outcome(
            (*_added(work, message, part.entries), *parts.noted(work, part.place)), hand_over=True
        )

    return Stage(
        "expand",
        topics.BATCH_SOURCE_ADDED,
        expand,
        scope=Scope.NOTHING,
        request=topics.CHANGE_BATCH,
    )


def _check(message: BatchSourceAdded, work: Work) -> None:
    """Raises: InvalidMessage: the source is not the tenant's."""
    try:
        keys.check_source(message.many, work.gpt_id, work.envelope.subject)
    except Refused as error:
        raise InvalidMessage(error.code, error.detail) from error


def _fitting(part: Part, room: int) -> Part:
    """Raises: Trouble: the batch has no room for the part."""
    if len(part.entries) > room:
        raise Trouble("too_many_documents", "The batch is full; the rest is left out.")
    return part


async def _batch(database: Database, batch_id: str, gpt_id: str) -> Row[Any] | None:
    query = select(BATCHES).where(BATCHES.c.batch_id == batch_id, BATCHES.c.gpt_id == gpt_id)
    async with database.transaction() as connection:
        return (await connection.execute(query)).one_or_none()


def _added(
    work: Work, message: BatchSourceAdded, entries: Sequence[Entry]
) -> list[Executable | Guarded]:
    if not entries:
        return []
    return [
        batch_entries.locking(work.gpt_id, message.batch_id),
        batch_entries.adding(work.gpt_id, message.batch_id, entries),
    ]

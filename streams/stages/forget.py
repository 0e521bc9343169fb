"""Forget: remove everything that a deleted GPT has, part by part.

Reads gpt-deleted. Has documents and collections removed by their own stages; removes batches,
document types, keys and requests, what events, dead letters and steps say, and what is stored.
What stays are tombstones: rows of ids and times, so that no record that comes again is worked off.
"""

from sqlalchemy import select, update

from schemas import topics
from schemas.ids import REQUEST, Ids
from schemas.tables import GPTS
from schemas.tenants import GptDeleted
from streams import parts
from streams.clients.postgres import Database
from streams.clients.s3 import ObjectStore
from streams.errors import InvalidMessage
from streams.stage import Outcome, Output, Scope, Stage, Work
from streams.tenants import leavings
from streams.tenants.leavings import Following, Place


def stage(database: Database, store: ObjectStore, ids: Ids) -> Stage[GptDeleted]:
    """Returns: the stage."""

    async def forget(message: GptDeleted, work: Work) -> Outcome:
        gpt_id = message.gpt_id
        await _require_tombstone(database, gpt_id)
        place = Place.model_validate(await parts.before(database, work) or {})
        found = await leavings.next_page(database, gpt_id, place)
        if found is None:
            await store.delete_all(f"{gpt_id}/")
            counts = {"object_count": 0, "byte_count": 0}
            return Outcome((update(GPTS).where(GPTS.c.gpt_id == gpt_id).values(**counts),))
        walk, rows, behind = found
        after = place.after if place.walk == behind.walk else ()
        return Outcome(
            (*walk.ended(gpt_id, after, behind.after), *parts.noted(work, behind)),
            [_output(each, gpt_id, work, ids) for each in walk.following(rows)],
            hand_over=True,
        )

    return Stage(
        "forget",
        topics.GPT_DELETED,
        forget,
        scope=Scope.NOTHING,
        request=topics.CHANGE_GPT,
    )


async def _require_tombstone(database: Database, gpt_id: str) -> None:
    """Raises: InvalidMessage: the GPT was not deleted; a record alone deletes nothing."""
    query = select(GPTS.c.gpt_id).where(GPTS.c.gpt_id == gpt_id, GPTS.c.deleted_at.is_not(None))
    async with database.transaction() as connection:
        if (await connection.execute(query)).one_or_none() is None:
            raise InvalidMessage("not_deleted", "The GPT that the record names was not deleted.")


def _output(following: Following, gpt_id: str, work: Work, ids: Ids) -> Output:
    topic, key, message = following
    envelope = work.envelope.model_copy(
        update={
            "request_id": ids.derive(REQUEST, gpt_id, "forget", key),
            "gpt_id": gpt_id,
            "subject": None,
            "correlation_id": work.envelope.correlation_id or work.request_id,
            "reply_to": None,
            "fingerprint": None,
        }
    )
    return Output(topic, key, message, envelope)

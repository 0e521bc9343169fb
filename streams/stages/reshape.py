"""Reshape: have all objects of a collection follow what is indexed of it from now on, in parts.

Reads collection-reshaped. Writes the derived columns of objects, neither their versions nor their
sequence, and in the end that they are complete; emits object-saved for each object where what
search finds of the collection has changed.
"""

from collections.abc import Sequence
from typing import Final

from pydantic import BaseModel
from sqlalchemy import update
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.ids import RUN, Ids
from schemas.tables import COLLECTIONS
from schemas.writes import CollectionReshaped, ObjectSaved
from streams import parts
from streams.clients.postgres import Database
from streams.collections import walking
from streams.collections.walking import Passed
from streams.stage import Outcome, Output, Scope, Stage, Work

_PAGE: Final = 100
_PAGES: Final = 10


class _Place(BaseModel):
    """The last object that the parts before have passed."""

    after: str = ""


def stage(database: Database, ids: Ids) -> Stage[CollectionReshaped]:
    """Returns: the stage."""

    async def reshape(message: CollectionReshaped, work: Work) -> Outcome:
        place = _Place.model_validate(await parts.before(database, work) or {})
        passed: list[Passed] = []
        for _ in range(_PAGES):
            page = await walking.reshape(database, message, place.after, most=_PAGE)
            passed += page
            if len(page) < _PAGE:
                return Outcome((_complete(message),), _saved(ids, message, work, passed))
            place = _Place(after=page[-1].object_id)
        outputs = _saved(ids, message, work, passed)
        return Outcome(parts.noted(work, place), outputs, hand_over=True)

    return Stage(
        "reshape",
        topics.COLLECTION_RESHAPED,
        reshape,
        scope=Scope.NOTHING,
        request=topics.WRITE_COLLECTION,
    )


def _complete(message: CollectionReshaped) -> Executable:
    # Where the collection was changed again meanwhile, the record of that change says when.
    return (
        update(COLLECTIONS)
        .where(
            COLLECTIONS.c.collection_id == message.collection_id,
            COLLECTIONS.c.shape == message.shape,
        )
        .values(shaped=message.shape)
    )


def _saved(
    ids: Ids, message: CollectionReshaped, work: Work, passed: Sequence[Passed]
) -> list[Output]:
    if not message.search:
        return []
    return [
        Output(
            topics.OBJECT_SAVED,
            each.object_id,
            ObjectSaved(
                # Its version was indexed before, otherwise.
                run_id=ids.derive(RUN, work.gpt_id, each.object_id, each.version, work.request_id),
                object_id=each.object_id,
                collection_id=message.collection_id,
                version=each.version,
            ),
        )
        for each in passed
    ]

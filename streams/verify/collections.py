"""Objects of collections beside their entries in the search index: missing, stale, or nobody's.

What was deleted, and what its collection does not let search find (any more), has none. An object
whose time is over is left alone: its deletion is on its way.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any, Final

from sqlalchemy import Row, Select, select

from schemas import indexes
from schemas.states import SETTLED
from schemas.tables import COLLECTIONS, OBJECTS, STEPS
from streams.sources.objects import declared, findable, origin_of
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.held import Expected, counted, held, indexed, judged
from streams.verify.stores import Stores

_OF_OBJECTS: Final = {"term": {"kind": indexes.Kind.OBJECT}}
_STAGE: Final = "index-object"


def _query() -> Select[Any]:
    return (
        select(
            OBJECTS.c.object_id,
            OBJECTS.c.gpt_id,
            OBJECTS.c.version,
            OBJECTS.c.indexed_version,
            OBJECTS.c.entry_count,
            OBJECTS.c.deleted_at,
            OBJECTS.c.collection_id,
            COLLECTIONS.c.search,
            (declared() & COLLECTIONS.c.deleted_at.is_(None)).label("searched"),
        )
        .select_from(OBJECTS)
        .outerjoin(COLLECTIONS, COLLECTIONS.c.collection_id == OBJECTS.c.collection_id)
    )


async def of_objects(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield objects whose entries are not what a search should find."""
    query = _query().where(findable())
    async for rows in stores.pages(query, OBJECTS.c.object_id, only=look.only):
        found = await held(stores, [_expected(row) for row in rows])
        wrong = [
            _of(row, kind, detail)
            for row in rows
            for kind, detail in (_behind(row) or judged(_expected(row), found[row.object_id]))
        ]
        for each in await _marked(stores, wrong):
            yield each
        look.seen(len(rows))


def _expected(row: Row[Any]) -> Expected:
    count = row.entry_count
    origin = origin_of(row.search)
    return Expected(row.object_id, row.gpt_id, row.version, origin, count, count)


def _behind(row: Row[Any]) -> list[tuple[Kind, str]]:
    # How many entries it should have is only known when it was indexed.
    if row.indexed_version == row.version:
        return []
    detail = f"version {row.version}, of which {row.indexed_version} is indexed"
    return [(Kind.INDEX_BEHIND, detail)]


async def of_nobody(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield ids in the index that are no object's, or one's that search is not to find."""
    async for ids in indexed(stores, look, _OF_OBJECTS):
        rows = await stores.rows(_query().where(OBJECTS.c.object_id.in_(ids)))
        known = {row.object_id: row for row in rows}
        for object_id in ids:
            if object_id not in known:
                detail = "the index has entries of an object that has no row"
                yield Difference(Kind.ENTRIES_WITHOUT_OBJECT, object_id, detail)
        wrong = [_of(row, Kind.ENTRIES_OF_DELETED, _why(row)) for row in rows if _why(row)]
        for each in await _marked(stores, wrong):
            yield each
        look.seen(len(ids))


def _why(row: Row[Any]) -> str:
    if row.deleted_at is not None:
        return f"the index has entries of an object deleted at {row.deleted_at:%FT%TZ}"
    return "" if row.searched else "the index has entries, and its collection has no search"


def _of(row: Row[Any], kind: Kind, detail: str) -> Difference:
    return Difference(kind, row.object_id, detail, row.gpt_id, collection_id=row.collection_id)


async def _marked(stores: Stores, found: Sequence[Difference]) -> list[Difference]:
    """Returns: the differences, `held` where a record of the same tenant may be on a retry topic.

    Steps do not name objects, so one that waits casts doubt on all of its tenant's.
    """
    if not found:
        return []
    waiting = select(STEPS.c.gpt_id).where(
        STEPS.c.gpt_id.in_({each.gpt_id for each in found}),
        STEPS.c.stage == _STAGE,
        STEPS.c.state.not_in([str(state) for state in SETTLED]),
    )
    tenants = {row.gpt_id for row in await stores.rows(waiting.distinct())}
    return [replace(each, held=each.gpt_id in tenants) for each in found]


async def _all(stores: Stores) -> int:
    return await stores.count(_query().where(findable()))


async def _in_index(stores: Stores) -> int:
    return await counted(stores, _OF_OBJECTS)


_STAGES: Final = ("collections", "reshape", "clear", _STAGE)

COMPARISONS: Final = (
    Comparison("objects and their entries", of_objects, _all, _STAGES),
    Comparison("entries and their objects", of_nobody, _in_index, _STAGES),
)

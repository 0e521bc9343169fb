"""Search over what documents and the objects of collections say."""

import re
from dataclasses import dataclass, replace
from typing import Annotated, Final

from fastapi import APIRouter, Query, Request, Response

from gateway.deps import CallerDep, SecuredRoute, StateDep
from gateway.errors import InvalidInput, Unavailable
from gateway.lists import CursorQuery, Where, link_next
from gateway.live_index import Live
from gateway.principal import Principal
from gateway.queries import search
from gateway.queries.places import DOCUMENTS, narrowed, resolved
from gateway.queries.rankings import Search
from gateway.queries.search import Found, IndexGone, Place
from gateway.state import State
from schemas.api.search import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    MAX_PLACES,
    PLACE_PATTERN,
    Facet,
    Group,
    Mode,
    SearchInput,
    SearchPage,
)
from schemas.api.search import Query as Words
from schemas.where import MAX_TEXT

router = APIRouter(prefix="/v1/search", tags=["search"], route_class=SecuredRoute)

MAX_OFFSET: Final = 1000
_NO_VECTOR: Final = (
    "The model that turns the query into a vector does not answer, so this was searched by words."
)
_OTHER_VECTORS: Final = (
    "The index was made with vectors that this release cannot make, so this was searched by words; "
    "its operator can mend that with `actionstream reindex`."
)
_MOVING: Final = "the index is being replaced; try again"
_SWAPS: Final = 3


@router.get("")
async def search_documents(
    *,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    q: Annotated[Words, Query(description="What to look for: words, or a question.")],
    mode: Annotated[Mode, Query(description="By words, by meaning, or both.")] = Mode.HYBRID,
    within: Annotated[
        str,
        Query(
            alias="in",
            max_length=2000,
            description="Where to look: documents, collections/<name>, or collections for all of "
            "them; with commas between.",
        ),
    ] = DOCUMENTS,
    where: Annotated[
        str | None,
        Query(
            max_length=MAX_TEXT,
            description='Conditions as JSON, all of which hold. Of documents: {"type":"invoice",'
            '"fields.total":{"gte":100}}, with type needs_review content_type filename created_at '
            "confidence metadata.<key> fields.<name>. Of objects, paths into the body: "
            '{"mood":{"gte":7}}, with $id $key $created_at $updated_at. Operators: eq ne gt gte lt '
            "lte in prefix exists contains.",
        ),
    ] = None,
    group: Annotated[
        Group, Query(description="One hit a document or object, or each chunk.")
    ] = Group.DOCUMENTS,
    facets: Annotated[
        str | None,
        Query(
            max_length=100,
            description="What to count hits by: type,content_type,needs_review,kind,collection.",
        ),
    ] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="Hits of a page.")] = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> SearchPage:
    """Finds documents and objects by words and by meaning; answers passages with offsets."""
    wanted = Search(
        q=q,
        mode=mode,
        filters=(),
        group=group,
        facets=_facets(facets),
        offset=0,
        limit=limit,
        vector=None,
    )
    page = await _page(state, caller, wanted, _Within(_places(within), where, cursor))
    link_next(request, response, page.next_cursor)
    return page


@router.post("")
async def search_documents_by_body(
    body: SearchInput, state: StateDep, caller: CallerDep
) -> SearchPage:
    """Does what GET does, with the query in the body and where as an object."""
    wanted = Search(
        q=body.q,
        mode=body.mode,
        filters=(),
        group=body.group,
        facets=tuple(dict.fromkeys(body.facets)),
        offset=0,
        limit=body.limit,
        vector=None,
    )
    within = _Within(tuple(body.within), body.where, body.cursor)
    return await _page(state, caller, wanted, within)


@dataclass(frozen=True, slots=True)
class _Within:
    """What narrows a search, as it was given."""

    names: tuple[str, ...]
    where: Where
    cursor: str | None


async def _page(state: State, caller: Principal, wanted: Search, within: _Within) -> SearchPage:
    places = await resolved(state.reader, caller, within.names)
    narrow = narrowed(places, within.where)
    bound = (
        "search",
        caller.gpt_id,
        caller.subject or "",
        wanted.q,
        wanted.mode,
        wanted.group,
        narrow.bound,
    )
    cursor = within.cursor
    offset = 0 if cursor is None else int(state.cursors.open(cursor, *bound)[0])
    asked = replace(wanted, offset=offset, filters=narrow.clauses)
    found, answered, notices = await _found(state, caller, asked)
    state.metrics.searches.labels(wanted.mode, answered).inc()
    following = offset + wanted.limit
    more = found.more and following < MAX_OFFSET
    return SearchPage(
        mode=answered,
        notices=[*narrow.notices, *notices],
        items=found.hits,
        facets=found.facets,
        next_cursor=state.cursors.seal([following], *bound) if more else None,
        has_more=more,
        took_ms=found.took_ms,
    )


async def _found(state: State, caller: Principal, wanted: Search) -> tuple[Found, Mode, list[str]]:
    """Returns: what was found, the mode it was found by, and why that is not the one wanted."""
    for _ in range(_SWAPS):
        live = await state.live_index.now()
        asked, notices = await _embedded(state, live, wanted)
        place = Place.of(live.name, state.settings.index_prefix)
        try:
            found = await search.run(state.search, state.reader, caller, place, asked)
        except IndexGone:
            state.live_index.forget()
            continue
        return found, asked.mode, notices
    raise Unavailable(_MOVING)


async def _embedded(state: State, live: Live, wanted: Search) -> tuple[Search, list[str]]:
    """Returns: the search with a vector of the index's own kind, or by words, and why."""
    if wanted.mode is Mode.KEYWORD:
        return wanted, []
    if live.vectors is None or not live.vectors.can_be_made:
        return replace(wanted, mode=Mode.KEYWORD), [_OTHER_VECTORS]
    vector = await state.embedder.embed(wanted.q, live.vectors)
    if vector is None:
        return replace(wanted, mode=Mode.KEYWORD), [_NO_VECTOR]
    return replace(wanted, vector=tuple(vector)), []


def _places(text: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    wrong = [name for name in names if not re.fullmatch(PLACE_PATTERN, name)]
    if wrong or not 1 <= len(names) <= MAX_PLACES:
        detail = f"name 1 to {MAX_PLACES} of documents, collections and collections/<name>"
        raise InvalidInput.at("/query/in", detail)
    return names


def _facets(text: str | None) -> tuple[Facet, ...]:
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    known = {facet.value for facet in Facet}
    if not known.issuperset(names):
        raise InvalidInput.at("/query/facets", f"name some of {', '.join(sorted(known))}")
    return tuple(Facet(name) for name in dict.fromkeys(names))

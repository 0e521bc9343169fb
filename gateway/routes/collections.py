"""Collections: what a tenant keeps its objects in."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel

from gateway import bodies, writes
from gateway.deps import Call, CallDep, CallerDep, StateDep
from gateway.lean import LeanRoute
from gateway.lists import CursorQuery, link_next
from gateway.object_lists import next_page
from gateway.places import COLLECTION, COLLECTIONS, GptPath, Place, PlaceDep
from gateway.preconditions import (
    IfMatch,
    IfNone,
    IfNoneMatch,
    IfVersionQuery,
    check_read,
    etag,
    is_known,
    only_if_absent,
    only_if_there,
    refuse_if_none_match,
    wanted_version,
)
from gateway.public import link
from gateway.queries import collections
from gateway.state import State
from schemas.api.collections import (
    Collection,
    CollectionChange,
    CollectionInput,
    CollectionPage,
    Deleted,
)
from schemas.api.requests import RequestState
from schemas.writes import DefineCollection, DropCollection

MODELS: Final = (CollectionInput, CollectionChange)

router = APIRouter(prefix=COLLECTIONS, tags=["collections"], route_class=LeanRoute)
single = APIRouter(prefix=COLLECTION, tags=["collections"], route_class=LeanRoute)

_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
_ONE: Final[dict[int | str, dict[str, Any]]] = {200: {"model": Collection}}
_CHANGED: Final = {**_ONE, **_PENDING}


def taking(*models: type[BaseModel], kind: str = "application/json") -> dict[str, Any]:
    """Returns: what says in OpenAPI that a call takes a JSON body of one of these models."""
    names = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = names[0] if len(names) == 1 else {"anyOf": names}
    return {"requestBody": {"required": True, "content": {kind: {"schema": schema}}}}


@router.post(
    "",
    response_model=None,
    responses={**_CHANGED, 201: {"model": Collection}},
    openapi_extra=taking(CollectionInput),
)
async def put_collection(
    *,
    gpt_id: GptPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_match: IfMatch = None,
    if_none_match: IfNone = None,
) -> Response:
    """Creates a collection, or changes the one of that name: what is left out stays as it is.

    Waits 10 s by default.
    """
    body = await bodies.read(request, CollectionInput)
    operation = _change(body, if_match).model_copy(
        update={
            "if_absent": only_if_absent(if_none_match, if_absent=body.if_absent),
            "if_exists": only_if_there(if_match, if_exists=body.if_exists),
        }
    )
    return await _defined(state, call, request, Place(gpt_id, body.name), operation)


@router.get("", response_model=None, responses={200: {"model": CollectionPage}})
async def list_collections(
    *,
    gpt_id: GptPath,
    request: Request,
    state: StateDep,
    caller: CallerDep,
    limit: Annotated[int, Query(ge=1, le=200, description="Most items of a page.")] = 50,
    cursor: CursorQuery = None,
) -> Response:
    """Lists the collections by name, with their settings and counts, by pages.

    A page may end before limit, so that it has at most about 90,000 characters; has_more tells.
    """
    bound = ("collections", gpt_id, caller.subject or "")
    after = "" if cursor is None else str(state.cursors.open(cursor, *bound)[0])
    items, has_more = await collections.page(state.direct, caller, limit, after)
    following = state.cursors.seal([items[-1][0]], *bound) if has_more else None
    body = f'{{"items":[{",".join(text for _, text in items)}],{next_page(following)}}}'
    response = writes.answer(body.encode())
    link_next(request, response, following)
    return response


@single.get("", response_model=None, responses=_ONE)
async def get_collection(
    *,
    place: PlaceDep,
    state: StateDep,
    caller: CallerDep,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One collection: its settings, its schema, how many objects and bytes it has."""
    version, text = await collections.one(state.direct, caller, place.name)
    check_read(version, if_match)
    headers = {"etag": etag(version)}
    if if_none_match is not None and is_known(version, if_none_match):
        return Response(None, 304, headers)
    return writes.answer(text.encode(), headers=headers)


@single.patch(
    "",
    response_model=None,
    responses=_CHANGED,
    openapi_extra=taking(CollectionChange),
)
async def update_collection(
    *,
    place: PlaceDep,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_match: IfMatch = None,
) -> Response:
    """Changes a collection: what is left out stays, null resets it; waits 10 s by default.

    check_stored refuses a schema, new or present, that stored objects break, and names them.
    """
    refuse_if_none_match(request)
    body = await bodies.read(request, CollectionChange)
    return await _defined(state, call, request, place, _change(body, if_match))


@single.delete("", response_model=None, responses={**_PENDING, 200: {"model": Deleted}})
async def delete_collection(
    *,
    place: PlaceDep,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_version: IfVersionQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Deletes a collection with all its objects and their versions; waits 10 s by default."""
    refuse_if_none_match(request)
    operation = DropCollection(if_version=wanted_version(if_version, if_match))
    found = await writes.ordered(state, call, place.name, operation)
    if found.result is None:
        return writes.pending(found, request)
    writes.noted(found, request)
    return writes.deleted(place.name, found.result["collection"]["version"])


def _change(body: CollectionChange, if_match: str | None) -> DefineCollection:
    settings = body.model_dump(
        include=body.model_fields_set
        - {"name", "check_stored", "if_version", "if_absent", "if_exists"}
    )
    return DefineCollection(
        **settings,
        given=tuple(sorted(settings)),
        must_exist=not isinstance(body, CollectionInput),
        check_stored=body.check_stored,
        if_version=wanted_version(body.if_version, if_match),
    )


async def _defined(
    state: State, call: Call, request: Request, place: Place, operation: DefineCollection
) -> Response:
    """Returns: the collection as it is now, or 202 with where to ask."""
    found = await writes.ordered(state, call, place.name, operation)
    if found.result is None:
        return writes.pending(found, request)
    writes.noted(found, request)
    kept = found.result["collection"]
    path = COLLECTION.format(gpt_id=place.gpt_id, name=place.name)
    headers = {"etag": etag(kept["version"]), "location": link(path)}
    return writes.answer(writes.dumped(kept).encode(), found.result["status"], headers)

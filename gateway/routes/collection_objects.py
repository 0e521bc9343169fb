"""The objects of one collection: lists of them, new ones, and those that have a key."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response

from gateway import bodies, object_lists, writes
from gateway.deps import CallDep, CallerDep, StateDep
from gateway.errors import NotFound
from gateway.lean import LeanRoute
from gateway.lists import CursorQuery, link_next
from gateway.object_lists import Asked
from gateway.places import COLLECTION, KeyPath, PlaceDep
from gateway.preconditions import (
    IfMatch,
    IfNone,
    IfNoneHasKey,
    IfNoneMatch,
    IfVersionQuery,
    only_if_absent,
    only_if_there,
    refuse_if_match,
    wanted_version,
)
from gateway.queries import objects
from gateway.routes.collections import taking
from gateway.routes.objects import FieldsQuery, shown
from schemas.api.collections import (
    Deleted,
    ObjectInput,
    ObjectPage,
    ObjectReplacement,
    StoredObject,
)
from schemas.api.requests import RequestState
from schemas.where import MAX_TEXT
from schemas.writes import CreateObject, DeleteObject, PutObject

router = APIRouter(prefix=COLLECTION + "/objects", tags=["objects"], route_class=LeanRoute)

MODELS: Final = (ObjectInput, ObjectReplacement)

ObjectWhereQuery = Annotated[
    str | None,
    Query(
        max_length=MAX_TEXT,
        description='Conditions as JSON, all of which hold: {"mood":"good","address.city":{"in":'
        '["Bonn","Ulm"]},"$created_at":{"gte":"2026-11-01"}}. Names: paths of the body, and $id '
        "$key $created_at $updated_at. Operators: eq ne gt gte lt lte in prefix exists contains.",
    ),
]
WordsQuery = Annotated[
    str | None,
    Query(
        min_length=1,
        max_length=1000,
        description='Words that objects have, as in a web search: rain -snow "long walk" or sun. '
        "The collection must declare indexes.text.",
    ),
]
_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}


@router.post(
    "",
    response_model=None,
    responses={**_PENDING, 201: {"model": StoredObject}},
    status_code=201,
    openapi_extra=taking(ObjectInput),
)
async def create_object(
    *,
    place: PlaceDep,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_none_match: IfNoneHasKey = None,
) -> Response:
    """Creates an object; waits 10 s by default. 409 if another object has its key.

    Who may have to repeat a call sends an idempotency_key, or uses PUT with a key instead.
    """
    given = await bodies.read(request, ObjectInput)
    await bodies.check_size(request, given.body)
    refuse_if_match(request)
    asked = {"key": given.key, "body": given.body, "ttl_s": given.ttl_s}
    alone = only_if_absent(if_none_match) and given.key is not None
    # The same but for the answer where the key is taken: 412, since a condition does not hold.
    operation = PutObject(**asked, if_absent=True) if alone else CreateObject(**asked)
    return await writes.write_object(state, call, request, place.name, operation)


@router.get("", response_model=None, responses={200: {"model": ObjectPage}})
async def list_objects(
    *,
    place: PlaceDep,
    request: Request,
    state: StateDep,
    caller: CallerDep,
    where: ObjectWhereQuery = None,
    q: WordsQuery = None,
    order: Annotated[
        Literal["asc", "desc"], Query(description="Oldest first (asc) or newest first (desc).")
    ] = "asc",
    limit: Annotated[int, Query(ge=1, le=200, description="Most items of a page.")] = 50,
    cursor: CursorQuery = None,
    fields: FieldsQuery = None,
    count: Annotated[
        bool, Query(description="Say in total how many match; counts up to 10,000.")
    ] = False,
) -> Response:
    """Lists objects in the order of their creation, by pages; where and q choose among them.

    A page may end before limit, so that it has at most about 90,000 characters; has_more tells.
    """
    asked = Asked(place.name, where, q, order, limit, fields)
    text, following = await object_lists.listed(state, caller, asked, cursor, count=count)
    response = writes.answer(text.encode())
    link_next(request, response, following)
    return response


@router.get("/by-key/{key}", response_model=None, responses={200: {"model": StoredObject}})
async def get_object_by_key(
    *,
    place: PlaceDep,
    key: KeyPath,
    state: StateDep,
    caller: CallerDep,
    fields: FieldsQuery = None,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One object, by its key in the collection; each end user has keys of its own."""
    found = await objects.by_key(state.direct, caller, place.name, key)
    if found is None:
        raise NotFound(f"there is no object with the key {key} in {place.name}")
    return shown(found, fields, if_match, if_none_match)


@router.put(
    "/by-key/{key}",
    response_model=None,
    responses={**_PENDING, 200: {"model": StoredObject}, 201: {"model": StoredObject}},
    openapi_extra=taking(ObjectReplacement),
)
async def put_object_by_key(
    *,
    place: PlaceDep,
    key: KeyPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_absent: Annotated[bool, Query(description="Only if there is none yet, else 412.")] = False,
    if_exists: Annotated[bool, Query(description="Only if there is one, else 412.")] = False,
    if_match: IfMatch = None,
    if_none_match: IfNone = None,
) -> Response:
    """Creates or replaces the object with that key, so that repeating it is harmless.

    Waits 10 s by default.
    """
    given = await bodies.read(request, ObjectReplacement)
    await bodies.check_size(request, given.body)
    operation = PutObject(
        key=key,
        body=given.body,
        ttl_s=given.ttl_s,
        if_version=wanted_version(given.if_version, if_match),
        if_absent=only_if_absent(if_none_match, if_absent=if_absent),
        if_exists=only_if_there(if_match, if_exists=if_exists),
    )
    return await writes.write_object(state, call, request, place.name, operation)


@router.delete(
    "/by-key/{key}", response_model=None, responses={**_PENDING, 200: {"model": Deleted}}
)
async def delete_object_by_key(
    *,
    place: PlaceDep,
    key: KeyPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    purge: Annotated[bool, Query(description="Remove its earlier versions too.")] = False,
    if_version: IfVersionQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Deletes the object with that key; its last versions stay unless purge=true."""
    operation = DeleteObject(key=key, purge=purge, if_version=wanted_version(if_version, if_match))
    return await writes.write_object(state, call, request, place.name, operation)

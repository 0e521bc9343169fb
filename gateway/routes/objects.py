"""One object, by its id."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response

from gateway import bodies, writes
from gateway.deps import CallDep, CallerDep, StateDep
from gateway.errors import InvalidInput
from gateway.homes import check_id, check_scope, home, no_object
from gateway.lean import LeanRoute
from gateway.places import IdPath
from gateway.preconditions import (
    IfMatch,
    IfNoneMatch,
    IfVersionQuery,
    check_read,
    etag,
    is_known,
    wanted_version,
)
from gateway.queries import objects
from gateway.queries.objects import Found
from gateway.routes.collections import taking
from gateway.trimming import tree_of, trimmed
from schemas.api.collections import (
    ChangedObject,
    Deleted,
    ObjectMerge,
    ObjectReplacement,
    StoredObject,
)
from schemas.api.requests import RequestState
from schemas.writes import DeleteObject, MergeObject, PatchObject, PutObject

router = APIRouter(prefix="/v1/objects/{object_id}", tags=["objects"], route_class=LeanRoute)

MODELS: Final = (ObjectMerge,)

FieldsQuery = Annotated[
    str | None,
    Query(
        max_length=2048,
        description="Only these paths of the body, such as title,address.city.",
    ),
]
_MERGE: Final = "application/merge-patch+json"
_PATCH: Final = "application/json-patch+json"
_ONE: Final[dict[int | str, dict[str, Any]]] = {200: {"model": StoredObject}}
_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
_CHANGE: Final = {
    "requestBody": {
        "required": True,
        "description": 'JSON: the patch as `body`, {"body": {"mood": "good"}}. Other kinds: bare.',
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/ObjectMerge"}},
            _MERGE: {
                "schema": {
                    "type": "object",
                    "description": 'The merge patch itself (RFC 7396), such as {"mood": "good"}.',
                }
            },
            _PATCH: {
                "schema": {
                    "type": "array",
                    "items": {"type": "object"},
                    "maxItems": 1000,
                    "description": "The JSON Patch itself (RFC 6902), a list of operations.",
                }
            },
        },
    }
}


@router.get("", response_model=None, responses=_ONE)
async def get_object(
    *,
    object_id: IdPath,
    state: StateDep,
    caller: CallerDep,
    fields: FieldsQuery = None,
    if_match: IfMatch = None,
    if_none_match: IfNoneMatch = None,
) -> Response:
    """One object with its body and version."""
    check_id(state, caller, object_id)
    found = await objects.by_id(state.direct, caller, object_id)
    if found is None:
        raise no_object()
    check_scope(caller, "read", found.collection)
    return shown(found, fields, if_match, if_none_match)


@router.put(
    "",
    response_model=None,
    responses={**_ONE, **_PENDING},
    openapi_extra=taking(ObjectReplacement),
)
async def replace_object(
    *,
    object_id: IdPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_match: IfMatch = None,
) -> Response:
    """Replaces an object's body; waits 10 s by default. 412 if it is not at if_version."""
    given = await bodies.read(request, ObjectReplacement)
    await bodies.check_size(request, given.body)
    operation = PutObject(
        object_id=object_id,
        body=given.body,
        ttl_s=given.ttl_s,
        if_version=wanted_version(given.if_version, if_match),
    )
    name = await home(state, call, object_id)
    return await writes.write_object(state, call, request, name, operation)


@router.patch(
    "",
    response_model=None,
    responses={200: {"model": ChangedObject}, **_PENDING},
    openapi_extra=_CHANGE,
)
async def update_object(
    *,
    object_id: IdPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_version: IfVersionQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Changes what body names and keeps the rest; null removes. Waits 10 s by default.

    As application/json the patch stands in body; as application/merge-patch+json or
    application/json-patch+json it is the whole body of the call.
    """
    operation = await _change(request, object_id, if_version, if_match)
    name = await home(state, call, object_id)
    return await writes.write_object(state, call, request, name, operation)


@router.delete("", response_model=None, responses={**_PENDING, 200: {"model": Deleted}})
async def delete_object(
    *,
    object_id: IdPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    purge: Annotated[bool, Query(description="Remove its earlier versions too.")] = False,
    if_version: IfVersionQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Deletes an object; its last versions stay, for restoring it, unless purge=true."""
    operation = DeleteObject(
        object_id=object_id, purge=purge, if_version=wanted_version(if_version, if_match)
    )
    name = await home(state, call, object_id, gone_too=purge)
    return await writes.write_object(state, call, request, name, operation)


def shown(
    found: Found, fields: str | None, if_match: str | None, if_none_match: str | None
) -> Response:
    """Returns: an object with its ETag, or 304 where the client has it already.

    Raises: PreconditionFailed: it is not in the version of If-Match.
    """
    check_read(found.version, if_match)
    headers = {"etag": etag(found.version)}
    if if_none_match is not None and is_known(found.version, if_none_match):
        return Response(None, 304, headers)
    body = found.body if fields is None else trimmed(found.body, tree_of(fields))
    return writes.answer(f"{found.head}{body}}}".encode(), headers=headers)


async def _change(
    request: Request, object_id: str, if_version: int | None, if_match: str | None
) -> MergeObject | PatchObject:
    kind = bodies.kind_of(request)
    if kind == _PATCH:
        patch = await bodies.json_of(request, levels=2)
        if not isinstance(patch, list):
            raise InvalidInput.at("", "a JSON Patch is a list of operations (RFC 6902)")
        version = wanted_version(if_version, if_match)
        wanted = {"object_id": object_id, "patch": patch, "if_version": version}
        return bodies.fitted(wanted, PatchObject)
    if kind == _MERGE:
        merge = await bodies.json_of(request, levels=0)
        given = bodies.fitted({"body": merge}, ObjectMerge)
    else:
        given = await bodies.read(request, ObjectMerge, kinds=("application/json", _MERGE, _PATCH))
    await bodies.check_size(request, given.body)
    version = given.if_version if if_version is None else if_version
    return MergeObject(
        object_id=object_id,
        patch=given.body,
        ttl_s=given.ttl_s,
        if_version=wanted_version(version, if_match),
    )

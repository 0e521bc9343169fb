"""The versions of an object: which are kept, what they were, and going back to one."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway import writes
from gateway.deps import CallDep, CallerDep, StateDep
from gateway.errors import NotFound
from gateway.homes import home, located
from gateway.lean import LeanRoute
from gateway.places import IdPath
from gateway.preconditions import IfMatch, IfVersionQuery, wanted_version
from gateway.queries import object_versions
from schemas.api.collections import ChangedObject
from schemas.api.object_history import ObjectVersion, VersionList
from schemas.api.requests import RequestState
from schemas.writes import RestoreObject

router = APIRouter(
    prefix="/v1/objects/{object_id}/versions", tags=["objects"], route_class=LeanRoute
)

VersionPath = Annotated[int, Path(ge=1, lt=10**15, description="Number of the version.")]
_RESTORED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": ChangedObject},
    202: {"model": RequestState},
}


@router.get("", response_model=None, responses={200: {"model": VersionList}})
async def list_object_versions(
    *, object_id: IdPath, state: StateDep, caller: CallerDep
) -> Response:
    """The versions kept of an object, deleted or not, newest first, without their bodies."""
    found = await located(state, caller, "read", object_id)
    items = await object_versions.listed(state.direct, caller, object_id)
    shown = {"id": object_id, "deleted": not found.alive, "items": items}
    return writes.answer(writes.dumped(shown).encode())


@router.get("/{version}", response_model=None, responses={200: {"model": ObjectVersion}})
async def get_object_version(
    *, object_id: IdPath, version: VersionPath, state: StateDep, caller: CallerDep
) -> Response:
    """One version of an object with its body."""
    found = await located(state, caller, "read", object_id)
    text = await object_versions.one(state.direct, caller, object_id, found.collection, version)
    if text is None:
        raise NotFound(f"version {version} is not kept; GET …/versions lists those that are")
    return writes.answer(text.encode())


@router.post("/{version}/restore", response_model=None, responses=_RESTORED)
async def restore_object_version(
    *,
    object_id: IdPath,
    version: VersionPath,
    request: Request,
    state: StateDep,
    call: CallDep,
    if_version: IfVersionQuery = None,
    if_match: IfMatch = None,
) -> Response:
    """Makes an earlier version the newest; a deleted object comes back. Waits 10 s by default."""
    operation = RestoreObject(
        object_id=object_id, version=version, if_version=wanted_version(if_version, if_match)
    )
    name = await home(state, call, object_id, gone_too=True)
    return await writes.write_object(state, call, request, name, operation)

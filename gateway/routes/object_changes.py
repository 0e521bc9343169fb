"""What changed in a collection, for programs that follow it."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from gateway import writes
from gateway.deps import CallerDep, StateDep
from gateway.lean import LeanRoute
from gateway.places import COLLECTION, PlaceDep
from gateway.queries import object_changes
from schemas.api.object_history import ChangesPage

router = APIRouter(prefix=COLLECTION + "/changes", tags=["objects"], route_class=LeanRoute)


@router.get("", response_model=None, responses={200: {"model": ChangesPage}})
async def list_changes(
    *,
    place: PlaceDep,
    state: StateDep,
    caller: CallerDep,
    since: Annotated[
        int, Query(ge=0, lt=2**62, description="next_since of the answer before; 0: everything.")
    ] = 0,
    limit: Annotated[int, Query(ge=1, le=200, description="Most items of an answer.")] = 50,
) -> Response:
    """What changed since then, oldest first: each object once, with its latest change.

    Deleted ones stay for 30 days; 410 if what was deleted since then is no longer known.
    """
    page = await object_changes.page(state.direct, caller, place.name, since, limit)
    return writes.answer(page.encode())

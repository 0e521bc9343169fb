"""Batches: many operations on one collection, as one request."""

from typing import Any, Final, cast

from fastapi import APIRouter, Request, Response

from gateway import bodies, writes
from gateway.deps import CallDep, StateDep
from gateway.errors import InvalidInput
from gateway.lean import LeanRoute
from gateway.places import COLLECTION, PlaceDep
from gateway.preconditions import refuse_conditions
from gateway.routes.collections import taking
from schemas.api.collections import BatchAnswer, BatchInput, BatchOperation
from schemas.api.requests import RequestState
from schemas.messages import Message
from schemas.writes import (
    CreateObject,
    DeleteObject,
    MergeObject,
    ObjectOperation,
    PatchObject,
    PutObject,
    WriteBatch,
)

router = APIRouter(prefix=COLLECTION + "/batch", tags=["objects"], route_class=LeanRoute)

MODELS: Final = (BatchInput,)

_LEVELS: Final = 3
"""The input, its list, and one operation stand round each body."""

_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: {"model": BatchAnswer},
    202: {"model": RequestState},
}
_FIELDS: Final[dict[str, tuple[type[Message], tuple[str, ...], tuple[str, ...]]]] = {
    "create": (CreateObject, ("key", "body", "ttl_s"), ("body",)),
    "put": (
        PutObject,
        ("id", "key", "body", "ttl_s", "if_version", "if_absent", "if_exists"),
        ("body",),
    ),
    "merge": (MergeObject, ("id", "key", "body", "ttl_s", "if_version"), ("body",)),
    "patch": (PatchObject, ("id", "key", "patch", "ttl_s", "if_version"), ("patch",)),
    "delete": (DeleteObject, ("id", "key", "if_version"), ()),
}
"""What each operation takes, and what of it it needs."""

_NAMES: Final = {"id": "object_id"}


@router.post("", response_model=None, responses=_ANSWERS, openapi_extra=taking(BatchInput))
async def write_batch(
    *, place: PlaceDep, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Does up to 500 operations in their order: each on its own, or with atomic all or none.

    One write of the rate limit. Waits 10 s by default; results say what became of each.
    """
    given = await bodies.read(request, BatchInput, levels=_LEVELS)
    refuse_conditions(request)
    operations = [_operation(one, number) for number, one in enumerate(given.operations)]
    batch = WriteBatch(operations=tuple(operations), atomic=given.atomic)
    found = await writes.ordered(state, call, place.name, batch)
    if found.result is None:
        return writes.pending(found, request)
    writes.noted(found, request)
    return writes.answer(writes.dumped(_answer(found.result)).encode())


def _operation(one: BatchOperation, number: int) -> ObjectOperation:
    model, taken, needed = _FIELDS[one.op]
    place = f"/operations/{number}"
    for name in sorted(one.model_fields_set - {"op", *taken}):
        raise InvalidInput.at(f"{place}/{name}", f"{one.op} does not take it; remove it")
    for name in needed:
        if getattr(one, name) is None:
            raise InvalidInput.at(f"{place}/{name}", f"{one.op} needs it; add it")
    if "id" in taken and (one.id is None) == (one.key is None):
        raise InvalidInput.at(place, f"{one.op} needs id or key, and not both")
    values = {_NAMES.get(name, name): getattr(one, name) for name in taken}
    if one.op == "merge":
        values["patch"] = values.pop("body")
    return cast("ObjectOperation", model.model_validate(values))


def _answer(result: dict[str, Any]) -> dict[str, Any]:
    results = [_outcome(one) for one in result["results"]]
    failed = sum(one["problem"] is not None for one in results)
    return {"atomic": result["atomic"], "failed": failed, "results": results}


def _outcome(one: dict[str, Any]) -> dict[str, Any]:
    problem = one.get("problem")
    if problem is not None:
        problem = {"errors": [], **problem}
    known = {name: one.get(name) for name in ("id", "key", "version")}
    return {"status": one["status"], **known, "problem": problem}

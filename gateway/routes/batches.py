"""Batches: many documents that are added, watched, cancelled and read as one."""

from datetime import datetime
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Query, Request, Response

from gateway.answers import ACCEPTED, note_ids
from gateway.batch_intake import Taken, take_form, take_json
from gateway.batches import Target, check_id, check_not_anothers
from gateway.bodies import bounded
from gateway.deps import CallDep, CallerDep, SecuredRoute, StateDep
from gateway.errors import InvalidInput, UnsupportedMediaType
from gateway.lists import DEFAULT_LIMIT, CursorQuery, LimitQuery, link_next
from gateway.queries import batches
from schemas.api.batches import (
    BatchAddition,
    BatchChange,
    BatchDetail,
    BatchPage,
    BatchResult,
    DocumentData,
    ManifestLine,
    NewBatch,
)
from schemas.batches import Cancel, Close, Open, Retry
from schemas.states import FINAL, BatchState

router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=SecuredRoute)

MODELS: Final = (NewBatch, BatchAddition, BatchResult, ManifestLine, DocumentData)
"""Models that the OpenAPI document must have although no parameter names them."""

_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": BatchChange}}
_FILES: Final = {"type": "array", "items": {"type": "string", "format": "binary"}}
_FORM: Final[dict[str, Any]] = {
    "manifest": {
        "type": "string",
        "description": "What is said of single files: a JSON list or JSON Lines of objects with "
        "path, title, metadata, type, key. Stands before the files.",
    },
    "files": {**_FILES, "description": "Files, at most 500; their names may have folders."},
    "archive": {
        "type": "string",
        "format": "binary",
        "description": "A ZIP archive, each file of which becomes a document.",
    },
    "defaults": {"type": "string", "description": "JSON of what is said of all documents."},
    "close": {"type": "string", "description": "true or false: whether nothing more is added."},
}
_OF_BATCH: Final[dict[str, Any]] = {
    "name": {"type": "string", "maxLength": 200, "description": "What people call the batch."},
    "metadata": {"type": "string", "description": "Your own data about the batch, as JSON."},
}

Given = TypeVar("Given", bound=BatchAddition)


def _taking(model: type[BatchAddition], form: dict[str, Any]) -> dict[str, Any]:
    multipart = {"type": "object", "additionalProperties": False, "properties": form}
    reference = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": reference},
                "multipart/form-data": {"schema": multipart},
            },
        }
    }


@router.post("", responses=_PENDING, openapi_extra=_taking(NewBatch, {**_OF_BATCH, **_FORM}))
async def create_batch(
    request: Request, response: Response, state: StateDep, call: CallDep
) -> BatchChange:
    """Makes a batch of many documents: files, a ZIP, links, objects by key or prefix, or none yet.

    Closed at once if anything is given, unless close is false. Waits 10 s by default for that,
    never for the documents: ask the batch.
    """
    target = Target.new(state, call)
    taken = await _taken(request, target, NewBatch)
    given, adds = taken.given, bool(target.pieces or taken.many)
    steps: list[Any] = [Open(name=given.name, metadata=given.metadata or {})]
    if adds:
        steps.append(target.addition(taken.many, given.defaults))
    if adds if given.close is None else given.close:
        steps.append(Close())
    return _answered(await target.ordered(steps, taken.said), request, response)


@router.post(
    "/{batch_id}/documents", responses=_PENDING, openapi_extra=_taking(BatchAddition, _FORM)
)
async def add_to_batch(
    batch_id: str, request: Request, response: Response, state: StateDep, call: CallDep
) -> BatchChange:
    """Adds documents to an open batch, as POST /v1/batches takes them; close ends it.

    A document whose key the batch has already is not added again.
    """
    target = Target.of(state, call, batch_id)
    taken = await _taken(request, target, BatchAddition)
    steps: list[Any] = []
    if target.pieces or taken.many:
        steps.append(target.addition(taken.many, taken.given.defaults))
    if taken.given.close:
        steps.append(Close())
    if not steps:
        raise InvalidInput("give documents, files, an archive or a prefix, or close")
    return _answered(await target.ordered(steps, taken.said), request, response)


@router.post("/{batch_id}/close", responses=_PENDING)
async def close_batch(
    batch_id: str, request: Request, response: Response, state: StateDep, call: CallDep
) -> BatchChange:
    """Says that nothing more is added: the batch is completed once all its documents have ended."""
    return await _changed(Target.of(state, call, batch_id), Close(), request, response)


@router.post("/{batch_id}/cancel", responses=_PENDING)
async def cancel_batch(
    batch_id: str, request: Request, response: Response, state: StateDep, call: CallDep
) -> BatchChange:
    """Stops a batch: what has not ended is cancelled, whatever stage it is in; the rest stays."""
    return await _changed(Target.of(state, call, batch_id), Cancel(), request, response)


@router.post("/{batch_id}/retry", responses=_PENDING)
async def retry_batch(
    batch_id: str, request: Request, response: Response, state: StateDep, call: CallDep
) -> BatchChange:
    """Sends the failed documents of a batch to the stage again at which they failed."""
    step = Retry(by=call.principal.name)
    return await _changed(Target.of(state, call, batch_id), step, request, response)


@router.get("")
async def list_batches(
    *,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    states: Annotated[
        list[BatchState] | None, Query(alias="state", description="In one of these states.")
    ] = None,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> BatchPage:
    """Lists batches, newest first, by pages, with the counts of their documents."""
    bound = ("batches", caller.gpt_id, caller.subject or "", *sorted(states or ()))
    after = None
    if cursor is not None:
        created_at, batch_id = state.cursors.open(cursor, *bound)
        after = (datetime.fromisoformat(created_at), str(batch_id))
    found = await batches.page(state.direct, caller, states, limit, after)
    if not found.has_more:
        return found
    last = found.items[-1]
    position = [last.created_at.isoformat() if last.created_at else "", last.batch_id]
    following = state.cursors.seal(position, *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/{batch_id}")
async def get_batch(batch_id: str, state: StateDep, caller: CallerDep) -> BatchDetail:
    """One batch: documents by state and type, failures with an example, pace, time left.

    The counts are exact at any time; the time left is an interval, or says why it is unknown.
    """
    check_id(state, caller, batch_id)
    found = await batches.detail(state.direct, caller, batch_id)
    if found is None:
        await check_not_anothers(state, caller, batch_id)
        return batches.unstored(batch_id)
    return found


async def _changed(
    target: Target, step: Close | Cancel | Retry, request: Request, response: Response
) -> BatchChange:
    return _answered(await target.ordered([step]), request, response)


async def _taken(request: Request, target: Target, model: type[Given]) -> Taken[Given]:
    kind = request.headers.get("content-type", "")
    name = kind.partition(";")[0].strip().lower()
    with target.state.admission.upload():
        if name == "application/json":
            limit = target.state.settings.max_json_upload_bytes
            return await take_json(target, await bounded(request, limit), model)
        if name == "multipart/form-data":
            return await take_form(target, request.stream(), kind, model)
    raise UnsupportedMediaType("send application/json, or multipart/form-data with parts files")


def _answered(found: BatchChange, request: Request, response: Response) -> BatchChange:
    note_ids(request, found.correlation_id, request_id=found.request_id, batch_id=found.batch_id)
    if found.status not in FINAL:
        response.status_code = ACCEPTED
        response.headers["Location"] = found.status_url
        response.headers["Retry-After"] = str(found.retry_after_s)
    return found

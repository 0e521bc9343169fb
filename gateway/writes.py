"""Writes of collections and objects: one record each, and the answer that its result becomes."""

import json
from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.responses import Response

from gateway.answers import ACCEPTED, COLLECTION_WAIT_S, note_ids
from gateway.deps import Call
from gateway.errors import RequestFailed, Unavailable
from gateway.preconditions import etag, refuse_if_none_match
from gateway.public import link
from gateway.queries import objects
from gateway.state import State
from gateway.submission import Order, check_record, claim, fingerprint, submit
from schemas.api.requests import RequestState
from schemas.states import FINAL, Status
from schemas.topics import WRITE_COLLECTION
from schemas.writes import (
    CreateObject,
    DefineCollection,
    Operation,
    PatchObject,
    PutObject,
    WriteBatch,
    WriteCollection,
)

JSON: Final = "application/json"
NO_CONTENT: Final = 204
_LARGE: Final = (WriteBatch, PatchObject, DefineCollection)
"""Operations that are not bounded by the size of one object."""

_OBJECT: Final = (
    "id",
    "gpt_id",
    "collection",
    "key",
    "subject",
    "version",
    "size_bytes",
    "created_at",
    "updated_at",
    "expires_at",
)


async def ordered(state: State, call: Call, name: str, operation: Operation) -> RequestState:
    """Publish an operation on the collection of that name and wait for its result.

    Returns: the request's state: completed, or not final yet.

    Raises:
        RequestFailed: it failed; the client gets its problem as the answer.
        TooLarge: it does not fit one record.
    """
    message = WriteCollection(collection=name, operation=operation)
    asked = message.model_dump(mode="json")
    if isinstance(operation, _LARGE):
        check_record(message)
    order = Order(
        topic=WRITE_COLLECTION,
        key=f"{call.principal.gpt_id}/{name}",
        message=message,
        fingerprint=fingerprint(call, asked),
        document_id=None,
    )
    found = await submit(state, call, claim(state, call), order, COLLECTION_WAIT_S)
    if found.status is Status.FAILED and found.problem is not None:
        raise RequestFailed(found.problem, found.request_id)
    return found


async def write_object(
    state: State, call: Call, request: Request, name: str, operation: Operation
) -> Response:
    """Returns: the answer to an operation on one object: the object, or 202 with where to ask.

    What was done is never answered as an error: where the body cannot be shown it is null.

    Raises:
        PreconditionFailed: it changes only what is there, and If-None-Match was sent.
        RequestFailed: as `ordered` does.
    """
    if not _may_create(operation):
        refuse_if_none_match(request)
    found = await ordered(state, call, name, operation)
    if found.status not in FINAL or found.result is None:
        return pending(found, request)
    kept = found.result["object"]
    noted(found, request, object_id=kept["id"])
    if found.result["status"] == NO_CONTENT:
        return deleted(name, kept["version"], kept["id"], kept["key"])
    text = await _body(state, call, name, operation, kept)
    # Results that were stored before objects said whose they are do not say it.
    head = dumped({field: kept.get(field) for field in _OBJECT})
    location = link(f"/v1/objects/{kept['id']}")
    headers = {"etag": etag(kept["version"]), "location": location}
    return answer(f'{head[:-1]},"body":{text}}}'.encode(), found.result["status"], headers)


async def _body(
    state: State, call: Call, name: str, operation: Operation, kept: Mapping[str, Any]
) -> str:
    """Returns: the JSON of the body that an operation wrote, or null.

    What a caller sent itself it gets again. What a change made of it is shown to who may read, as
    long as it is kept: later changes may have come before this answer.
    """
    if isinstance(operation, CreateObject | PutObject):
        return dumped(operation.body)
    if not call.principal.may("read", name):
        return "null"
    try:
        found = await objects.body(state.direct, kept["gpt_id"], kept["id"], kept["version"])
    except Unavailable:
        # The change stands; an error would have the client make it again.
        return "null"
    return found or "null"


def pending(found: RequestState, request: Request) -> Response:
    """Returns: 202, with where to ask for what becomes of a request; 200 if it ended so."""
    noted(found, request)
    body = found.model_dump_json().encode()
    if found.status in FINAL:
        return answer(body)
    headers = {"location": found.status_url, "retry-after": str(found.retry_after_s)}
    return answer(body, ACCEPTED, headers)


def deleted(
    collection: str, version: int, object_id: str | None = None, key: str | None = None
) -> Response:
    """Returns: the answer to a deletion: 200 with what is gone, since GPTs cannot read a 204."""
    gone = {
        "deleted": True,
        "id": object_id,
        "collection": collection,
        "key": key,
        "version": version,
    }
    return answer(dumped(gone).encode())


def noted(found: RequestState, request: Request, **ids: str | None) -> None:
    """Have the edge echo and log the ids of a request."""
    note_ids(request, found.correlation_id, request_id=found.request_id, **ids)


def answer(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns: an answer of ready JSON."""
    return Response(body, status, headers, JSON)


def dumped(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Returns: a JSON value as text, with integers of any size as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _may_create(operation: Operation) -> bool:
    by_key = isinstance(operation, PutObject) and operation.object_id is None
    return by_key or isinstance(operation, CreateObject)

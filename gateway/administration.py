"""Changes of GPTs and their keys: one record each, whose answer is the changed row.

A key's secret is made here and shown once. Only its hash goes into the record, and a repeat of the
request, which finds the first one's row, is answered without it.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from gateway.answers import ACCEPTED, COLLECTION_WAIT_S, note_ids
from gateway.deps import Call
from gateway.errors import RequestFailed
from gateway.state import State
from gateway.submission import Claim, Order, claim, fingerprint, submit
from schemas import keys
from schemas.api.requests import RequestState
from schemas.api.tenants import Gpt, IssuedKey, KeyFacts
from schemas.keys import Key
from schemas.states import Status
from schemas.tenants import Change, ChangeGpt, CreateKey, RotateKey
from schemas.topics import CHANGE_GPT

A = TypeVar("A", bound=BaseModel)

# Its answer holds a secret that no cache on the way may keep.
_UNCACHED: Final = {"Cache-Control": "no-store"}


async def ordered(
    state: State,
    call: Call,
    gpt_id: str,
    change: Change,
    *,
    asked: Mapping[str, Any],
    claimed: Claim,
) -> RequestState:
    """Publish a change of a GPT and wait for its result.

    `asked` tells a repeat from another request under the same idempotency key: it is what the
    client sent, without the secret and the times that were made here.

    Returns: the request's state: completed, or not final yet.

    Raises:
        RequestFailed: it failed; the client gets its problem as the answer.
    """
    order = Order(
        topic=CHANGE_GPT,
        key=gpt_id,
        message=ChangeGpt(gpt_id=gpt_id, change=change, by=call.principal.name),
        fingerprint=fingerprint(call, {"gpt_id": gpt_id, **asked}),
        document_id=None,
    )
    found = await submit(state, call, claimed, order, COLLECTION_WAIT_S)
    if found.status is Status.FAILED and found.problem is not None:
        raise RequestFailed(found.problem, found.request_id)
    return found.model_copy(update={"status_url": status_url(found)})


def status_url(found: RequestState) -> str:
    """Returns: where a key that administers asks for the state of its request."""
    return found.status_url.replace("/v1/requests/", "/v1/admin/requests/", 1)


async def changed_gpt(
    state: State, call: Call, request: Request, gpt_id: str, change: Change
) -> Response:
    """Returns: the answer to a change of a GPT: its row, or 202 with where to ask."""
    asked = change.model_dump(mode="json")
    found = await ordered(state, call, gpt_id, change, asked=asked, claimed=claim(state, call))
    return _answer(found, request, "gpt", Gpt)


async def changed_key(
    state: State, call: Call, request: Request, gpt_id: str, change: Change
) -> Response:
    """Returns: the answer to a change of a key: what is known of it, or 202 with where to ask."""
    asked = change.model_dump(mode="json")
    found = await ordered(state, call, gpt_id, change, asked=asked, claimed=claim(state, call))
    return _answer(found, request, "key", KeyFacts)


async def issued(
    *,
    state: State,
    call: Call,
    request: Request,
    gpt_id: str,
    body: BaseModel,
    wanted: Mapping[str, Any],
) -> Response:
    """Make a key as `wanted` says, or with `replaces` in the place of another one.

    `body` is what the client sent.

    Returns: the answer, which alone ever has the whole key; none in the answer to a repeat.
    """
    settings = state.settings
    key = keys.mint(settings.key_env)
    hashed = key.hashed(settings.key_pepper.get_secret_value()).hex()
    kind = RotateKey if "replaces" in wanted else CreateKey
    change = kind(key_id=key.key_id, hash_hex=hashed, **wanted)
    claimed = claim(state, call)
    asked = body.model_dump(mode="json")
    with state.keys.issued.noted(claimed.request_id) as is_first:
        found = await ordered(state, call, gpt_id, change, asked=asked, claimed=claimed)
    if found.result is None:
        kept = {**change.model_dump(include=set(KeyFacts.model_fields)), "gpt_id": gpt_id}
        facts = KeyFacts(**kept, created_at=None, revoked_at=None, replaced_by=None)
        made = _issued(found, facts, key if is_first else None, sole=not claimed.repeated)
        return _shown(found, request, made, ACCEPTED)
    facts = KeyFacts.model_validate(found.result["key"])
    # Another one is that of the first request, of which this is a repeat.
    own = key if facts.key_id == key.key_id else None
    return _shown(found, request, _issued(found, facts, own), found.result["status"])


def _issued(
    found: RequestState, facts: KeyFacts, key: Key | None, *, sole: bool = True
) -> IssuedKey:
    return IssuedKey(
        **facts.model_dump(),
        key=None if key is None else str(key),
        confirmed=sole,
        pending=found.result is None,
        request_id=found.request_id,
        status_url=found.status_url,
    )


def _answer(found: RequestState, request: Request, what: str, model: type[A]) -> Response:
    if found.result is None:
        return _shown(found, request, found, ACCEPTED)
    body = model.model_validate(found.result[what])
    return _shown(found, request, body, found.result["status"])


def _shown(found: RequestState, request: Request, body: BaseModel, status: int) -> Response:
    note_ids(request, found.correlation_id, request_id=found.request_id)
    headers = dict(_UNCACHED)
    if status == ACCEPTED:
        headers |= {"Location": found.status_url, "Retry-After": str(found.retry_after_s)}
    return JSONResponse(body.model_dump(mode="json"), status, headers)

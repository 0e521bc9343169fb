"""Webhooks: endpoints to which events are delivered. A secret is in the answer that makes it."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request, Response

from gateway.answers import succeeded
from gateway.deps import CallDep, CallerDep, SecuredRoute, StateDep
from gateway.lists import DEFAULT_LIMIT, CursorQuery, LimitQuery, link_next
from gateway.queries import webhooks
from gateway.webhook_urls import check
from gateway.webhooks import Target, check_id
from schemas.api.requests import RequestState
from schemas.api.webhooks import (
    IssuedWebhook,
    SecretRotation,
    Webhook,
    WebhookDetail,
    WebhookInput,
    WebhookPage,
    WebhookPatch,
)
from schemas.states import WebhookState

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"], route_class=SecuredRoute)

_LIST: Final = "webhooks"
_CHANGED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
_ISSUED: Final[dict[int | str, dict[str, Any]]] = {202: {"model": IssuedWebhook}}
WebhookPath = Annotated[str, Path(description="Id of the webhook.")]


@router.post("", status_code=201, response_model=IssuedWebhook, responses=_ISSUED)
async def create_webhook(
    *, body: WebhookInput, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Makes an endpoint for events; waits 10 s by default. Its secret is in this answer only.

    Events from then on are delivered, signed by Standard Webhooks.
    """
    await check(body.url, state.settings.webhook_allowed_networks)
    target = Target.new(state, call)
    change = {"do": "create", **body.model_dump()}
    return await target.issued(change, body, request, _unstored(target.webhook_id, body))


@router.get("")
async def list_webhooks(
    *,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    limit: LimitQuery = DEFAULT_LIMIT,
    cursor: CursorQuery = None,
) -> WebhookPage:
    """Lists endpoints, oldest first, with whether they take what they get."""
    bound, after = (_LIST, caller.gpt_id, caller.subject or ""), None
    if cursor is not None:
        created_at, webhook_id = state.cursors.open(cursor, *bound)
        after = (datetime.fromisoformat(created_at), str(webhook_id))
    found = await webhooks.page(state.reader, caller, after, limit)
    if not found.has_more:
        return found
    last = found.items[-1]
    following = state.cursors.seal([last.created_at.isoformat(), last.webhook_id], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/{webhook_id}")
async def get_webhook(webhook_id: WebhookPath, state: StateDep, caller: CallerDep) -> WebhookDetail:
    """One endpoint: what it gets, whether it fails or is paused, and how much waits for it."""
    check_id(state, caller, webhook_id)
    return await webhooks.find(state.reader, caller, webhook_id)


@router.patch("/{webhook_id}", response_model=Webhook, responses=_CHANGED)
async def change_webhook(
    *,
    webhook_id: WebhookPath,
    body: WebhookPatch,
    request: Request,
    state: StateDep,
    call: CallDep,
) -> Response:
    """Changes an endpoint, pauses or resumes it; what is left out stays.

    With state active, or another url, what has waited is delivered. 412 if it is not at if_version.
    """
    target = await Target.of(state, call, webhook_id)
    if body.url is not None:
        await check(body.url, state.settings.webhook_allowed_networks)
    return await target.changed({"do": "update", **body.model_dump()}, request)


@router.delete("/{webhook_id}", response_model=Webhook, responses=_CHANGED)
async def delete_webhook(
    *, webhook_id: WebhookPath, request: Request, state: StateDep, call: CallDep
) -> Response:
    """Removes an endpoint with all that is known of its deliveries; what waited is not sent."""
    target = await Target.of(state, call, webhook_id)
    return await target.changed({"do": "delete"}, request)


@router.post("/{webhook_id}/rotate-secret", response_model=IssuedWebhook, responses=_ISSUED)
async def rotate_webhook_secret(
    *,
    webhook_id: WebhookPath,
    body: SecretRotation | None = None,
    request: Request,
    state: StateDep,
    call: CallDep,
) -> Response:
    """Gives an endpoint a new secret, which is in this answer only; the old ones sign for a day.

    While they do, each delivery has a signature by each of them.
    """
    wanted, target = body or SecretRotation(), await Target.of(state, call, webhook_id)
    end = datetime.now(UTC) + timedelta(seconds=wanted.overlap_s) if wanted.overlap_s else None
    change = {"do": "update", "old_secrets_end_at": end}
    facts = await webhooks.find(state.reader, call.principal, webhook_id)
    return await target.issued(change, wanted, request, Webhook(**facts.model_dump()))


@router.post("/{webhook_id}/test", responses=_CHANGED)
async def test_webhook(
    *,
    webhook_id: WebhookPath,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Sends a webhook.test event to an endpoint, once, also while it fails or is paused.

    The result names the delivery, which says what came of it; waits 10 s by default.
    """
    target = await Target.of(state, call, webhook_id)
    found = await target.ordered({"do": "test"}, {})
    return succeeded(found, request, response)


def _unstored(webhook_id: str, body: WebhookInput) -> Webhook:
    now = datetime.now(UTC)
    return Webhook(
        webhook_id=webhook_id,
        **body.model_dump(),
        state=WebhookState.ACTIVE,
        paused_reason=None,
        failures=0,
        failing_since=None,
        held_until=None,
        old_secrets_end_at=None,
        version=1,
        created_at=now,
        updated_at=now,
    )

"""Deliveries to webhooks: what was sent, what was answered, and sending it again."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Query, Request, Response

from gateway.answers import succeeded
from gateway.deps import CallDep, CallerDep, SecuredRoute, StateDep
from gateway.errors import NotFound
from gateway.lists import link_next
from gateway.principal import Principal
from gateway.queries import webhooks
from gateway.routes.webhooks import WebhookPath
from gateway.state import State
from gateway.webhooks import Target, check_id
from schemas.api.requests import RequestState
from schemas.api.webhooks import Delivery, DeliveryFilter, DeliveryPage, RedeliveryInput
from schemas.ids import DELIVERY

router = APIRouter(prefix="/v1/webhooks/{webhook_id}", tags=["webhooks"], route_class=SecuredRoute)

_PENDING: Final[dict[int | str, dict[str, Any]]] = {202: {"model": RequestState}}
DeliveryPath = Annotated[str, Path(description="Id of the delivery.")]


@router.get("/deliveries")
async def list_webhook_deliveries(
    *,
    webhook_id: WebhookPath,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    wanted: Annotated[DeliveryFilter, Query()],
) -> DeliveryPage:
    """Lists what was sent to an endpoint or waits for it, latest event first, kept for 30 days."""
    check_id(state, caller, webhook_id)
    await webhooks.find(state.reader, caller, webhook_id)
    bound = ("deliveries", caller.gpt_id, webhook_id, str(wanted.state), str(wanted.type))
    [before] = [None] if wanted.cursor is None else state.cursors.open(wanted.cursor, *bound)
    found = await webhooks.deliveries(state.reader, caller, webhook_id, wanted, before)
    if not found.has_more:
        return found
    following = state.cursors.seal([found.items[-1].sequence], *bound)
    link_next(request, response, following)
    return found.model_copy(update={"next_cursor": following})


@router.get("/deliveries/{delivery_id}")
async def get_webhook_delivery(
    webhook_id: WebhookPath, delivery_id: DeliveryPath, state: StateDep, caller: CallerDep
) -> Delivery:
    """One delivery: its state, how often it was sent, and the beginning of the last answer."""
    check_id(state, caller, webhook_id)
    _check_delivery(state, caller, delivery_id)
    await webhooks.find(state.reader, caller, webhook_id)
    return await webhooks.delivery(state.reader, caller, webhook_id, delivery_id)


@router.post("/deliveries/{delivery_id}/redeliver", responses=_PENDING)
async def redeliver_webhook_delivery(
    *,
    webhook_id: WebhookPath,
    delivery_id: DeliveryPath,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Sends one delivery again, before all others, with the same id and all its attempts."""
    target = await Target.of(state, call, webhook_id)
    _check_delivery(state, call.principal, delivery_id)
    change = {"do": "redeliver", "delivery_ids": [delivery_id]}
    return succeeded(await target.ordered(change, change), request, response)


@router.post("/redeliver", responses=_PENDING)
async def redeliver_to_webhook(
    *,
    webhook_id: WebhookPath,
    body: RedeliveryInput,
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
) -> RequestState:
    """Sends deliveries again: those named, or those of a time, failed ones alone by default.

    At most 10,000 at once; the result's more_since says where the next call begins.
    """
    target = await Target.of(state, call, webhook_id)
    for delivery_id in body.delivery_ids:
        _check_delivery(state, call.principal, delivery_id)
    asked = body.model_dump(mode="json")
    found = await target.ordered({"do": "redeliver", **asked}, asked)
    return succeeded(found, request, response)


def _check_delivery(state: State, principal: Principal, delivery_id: str) -> None:
    if not state.ids.verify(delivery_id, DELIVERY, principal.gpt_id):
        raise NotFound("there is no such delivery; check the id")

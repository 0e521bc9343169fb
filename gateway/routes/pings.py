"""Pings: a round trip through every part that a request needs."""

from fastapi import APIRouter, Request, Response

from gateway.answers import COLLECTION_WAIT_S, succeeded
from gateway.deps import CallDep, SecuredRoute, StateDep
from gateway.submission import Order, claim, fingerprint, submit
from schemas.api.requests import PingInput, RequestState
from schemas.messages import Ping
from schemas.topics import PING

router = APIRouter(prefix="/v1/pings", tags=["requests"], route_class=SecuredRoute)


@router.post("", responses={202: {"model": RequestState}})
async def create_ping(
    request: Request,
    response: Response,
    state: StateDep,
    call: CallDep,
    body: PingInput | None = None,
) -> RequestState:
    """Sends a request through every part and back, and changes nothing. Waits 10 s by default."""
    note = None if body is None else body.note
    claimed = claim(state, call)
    order = Order(
        topic=PING,
        key=claimed.request_id,
        message=Ping(note=note),
        fingerprint=fingerprint(call, {"note": note}),
        document_id=None,
    )
    found = await submit(state, call, claimed, order, COLLECTION_WAIT_S)
    return succeeded(found, request, response)

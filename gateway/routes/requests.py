"""Requests: the state or the result of anything that was asked."""

import asyncio
from datetime import UTC, datetime, timedelta

from fastapi import APIRouter, Request, Response

from gateway.answers import note_ids
from gateway.database import Row
from gateway.deps import (
    CallerDep,
    PreferHeader,
    SecuredRoute,
    StateDep,
    WaitQuery,
    wanted_wait,
)
from gateway.errors import NotFound
from gateway.principal import Principal
from gateway.queries import requests
from gateway.queries.scope import check_no_others
from gateway.results import TooManyWaiters
from gateway.state import State
from gateway.submission import until_final
from schemas.api.requests import RequestState
from schemas.ids import REQUEST, Ids
from schemas.states import Status
from schemas.tables import REQUESTS

router = APIRouter(prefix="/v1/requests", tags=["requests"], route_class=SecuredRoute)


@router.get("/{request_id}")
async def get_request(
    *,
    request_id: str,
    request: Request,
    response: Response,
    state: StateDep,
    caller: CallerDep,
    wait_s: WaitQuery = None,
    prefer: PreferHeader = None,
) -> RequestState:
    """The state of a request and, once final, its result or problem. wait_s waits for the end."""
    if not state.ids.verify(request_id, REQUEST, caller.gpt_id):
        raise NotFound("there is no such request; check the id")
    seconds = min(wanted_wait(wait_s, prefer) or 0.0, state.settings.max_wait_s)
    deadline = asyncio.get_running_loop().time() + seconds

    async def read() -> Row | None:
        return await requests.find(state.asked, caller, request_id)

    try:
        async with state.results.waiter(request_id) as waiter:
            row = await until_final(read, waiter, deadline)
    except TooManyWaiters:
        row = await read()
    found = await _shown(state, caller, request_id, row)
    note_ids(request, found.correlation_id, request_id=request_id, document_id=found.document_id)
    if found.retry_after_s is not None:
        response.headers["Retry-After"] = str(found.retry_after_s)
    return found


def _check_age(request_id: str, kept: timedelta) -> None:
    """Raises: NotFound: the request was made so long ago that its row was removed."""
    minted_at = Ids.minted_at(request_id)
    if minted_at is not None and minted_at < datetime.now(UTC) - kept:
        raise NotFound(f"there is no such request any more; they are kept {kept.days} days")


async def _shown(state: State, caller: Principal, request_id: str, row: Row | None) -> RequestState:
    if row is None:
        await check_no_others(state.reader, caller, REQUESTS.c.request_id, request_id)
        _check_age(request_id, state.settings.request_retention)
        return requests.accepted(request_id)
    waits = None
    if row["status"] == Status.WAITING:
        waits = await requests.waiting(state.reader, caller, request_id)
    return requests.shown(row, waits=waits)

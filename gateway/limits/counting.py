"""Counts each call where it belongs, before anything of it is read: its key, or its address."""

from typing import Final

from fastapi import Request
from starlette.types import Scope

from gateway.limits import addresses
from gateway.limits.limiter import Cost
from gateway.principal import Principal
from gateway.state import State

_FREE: Final = ("/v1/requests/", "/v1/admin/requests/")
"""Asking what became of a request takes nothing: who may not ask would repeat the request."""


async def count_key(request: Request, principal: Principal, path: str, cost: Cost) -> None:
    """Note the use of a key, and take its tokens for a call of the route of this path.

    Raises:
        RateLimited: there is none left.
    """
    state: State = request.app.state.gateway
    state.uses.note(principal.key_id)
    if not path.startswith(_FREE):
        request.state.rate_limit = await state.limits.admit_key(
            principal.key_id, principal.rate_limits, cost
        )


async def count_stranger(request: Request) -> None:
    """Take a token for a call without a valid key. Raises: RateLimited: there is none left."""
    state: State = request.app.state.gateway
    host = addresses.of(request.scope)
    request.state.rate_limit = await state.limits.admit_address(host)


async def count_socket(state: State, principal: Principal) -> None:
    """Do for a WebSocket that is opened what `count_key` does for a call that reads."""
    state.uses.note(principal.key_id)
    await state.limits.admit_key(principal.key_id, principal.rate_limits, "read")


async def count_strange_socket(state: State, scope: Scope) -> None:
    """Do for a WebSocket without a valid key what `count_stranger` does for a call."""
    await state.limits.admit_address(addresses.of(scope))

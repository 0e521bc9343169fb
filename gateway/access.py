"""Whether a call may be made: whose key it bears, and whether the key's scopes cover it."""

from typing import Final

from fastapi import Request

from gateway.errors import Forbidden, NotFound, Unauthorised
from gateway.keys.keys import Keys
from gateway.limits import addresses
from gateway.limits.limiter import Cost
from gateway.principal import Principal
from schemas.tenants import ADMIN

_READING: Final = frozenset({"GET", "HEAD"})
_SEARCH: Final = "/v1/search"
_OF_REQUESTS: Final = "/v1/requests/"
"""Whoever may ask for something may ask what became of it; its id names the tenant."""

_OF_GPTS: Final = "/v1/gpts/"
_OF_ADMINS: Final = "/v1/admin"
_OF_WEBHOOKS: Final = "/v1/webhooks"
"""Deliveries carry what happens, so whoever has them made must be allowed to read it too."""

_CHECKED_LATER: Final = ("/v1/objects/", _SEARCH)
"""Which collection is meant is only known once the object's row or the body has been read."""


async def authenticate(request: Request) -> Principal:
    """Returns: the caller of a request.

    Raises:
        Unauthorised: there is no bearer key, or it is not valid.
        GptDisabled: it is, and its GPT takes no calls.
        Unavailable: Postgres is away or busy, and this gateway does not know the key.
    """
    known: Keys = request.app.state.gateway.keys
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    text = text.strip()
    if scheme.lower() != "bearer" or not text:
        known.count_refusal("missing")
        raise Unauthorised("send the header Authorization: Bearer <your API key>")
    return known.remembered(text) or await known.read(text, _address(request))


def _address(request: Request) -> str:
    return addresses.counted(addresses.of(request.scope))


def authorise(request: Request, principal: Principal, path: str) -> None:
    """Check that the caller may call the route of this path (its template).

    Raises:
        NotFound: the path is another tenant's.
        Forbidden: the key's scopes do not cover it.
    """
    gpt_id = request.path_params.get("gpt_id") if path.startswith(_OF_GPTS) else None
    if gpt_id not in {None, principal.gpt_id}:
        raise NotFound("there is no such GPT that this key may see; check the id")
    if not _covered(request, principal, path):
        known: Keys = request.app.state.gateway.keys
        known.count_refusal("scope")
        raise Forbidden(f"the key's scopes do not cover this: {_wanted(request.method, path)}")


def _covered(request: Request, principal: Principal, path: str) -> bool:
    if path.startswith(_OF_ADMINS):
        return principal.gpt_id == ADMIN and principal.may("admin")
    if path.startswith(_OF_REQUESTS):
        return principal.may_somewhere("read") or principal.may_somewhere("write")
    action = cost_of(request.method, path)
    if path.startswith(_CHECKED_LATER):
        return principal.may_somewhere(action)
    if path.startswith(_OF_WEBHOOKS):
        return principal.may("read") and principal.may(action)
    collection = request.path_params.get("name") if path.startswith(_OF_GPTS) else None
    return principal.may(action, collection)


def cost_of(method: str, path: str) -> Cost:
    """Returns: whether the call of a route only reads; searching does, though it has a body."""
    return "read" if method in _READING or path == _SEARCH else "write"


def _wanted(method: str, path: str) -> str:
    if path.startswith(_OF_ADMINS):
        return "it needs the scope admin, which only keys of the tenant admin have"
    if path.startswith(_OF_WEBHOOKS) and method not in _READING:
        return "it needs the scopes read and write, since deliveries carry what happens"
    return f"it needs the scope {cost_of(method, path)}, or that of the collection if it is in one"

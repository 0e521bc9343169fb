"""What handlers ask for: the state, the caller, how the call wants its answer."""

import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Header, Query, Request, Response
from fastapi.routing import APIRoute
from pydantic import Field

from gateway import acting
from gateway.access import authenticate, authorise, cost_of
from gateway.errors import (
    GptDisabled,
    NotAcceptable,
    Unauthorised,
    Unavailable,
    UnsupportedMediaType,
)
from gateway.limits.counting import count_key, count_stranger
from gateway.principal import Principal
from gateway.state import State
from schemas.api.documents import CorrelationId, IdempotencyKey

_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*(\d{1,4})(?:$|[,;\s])", re.ASCII)
OTHER_KINDS: Final = ("/content", "/results", "/stream")
"""Ends of the paths whose answers come in other kinds than JSON: originals, files, events."""

_JSON_RANGES: Final = frozenset({"*/*", "application/*", "application/json"})
_TRACE: Final = re.compile(r"^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")


@dataclass(frozen=True, slots=True)
class Call:
    """One call that starts work: who, and how it wants its answer."""

    principal: Principal
    method: str
    route: str
    wait_s: float | None
    idempotency_key: str | None
    correlation_id: str | None
    traceparent: str | None


class SecuredRoute(APIRoute):
    """A route that checks key, end user and scopes before anything of the body is read."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Returns: FastAPI's handler behind authentication and a check of the media type."""
        handler = super().get_route_handler()
        takes_json, path = self.body_field is not None, self.path
        answers_json = not path.endswith(OTHER_KINDS)

        async def secured(request: Request) -> Response:
            try:
                principal = await authenticate(request)
            except (Unauthorised, GptDisabled, Unavailable):
                await count_stranger(request)
                raise
            await count_key(request, principal, path, cost_of(request.method, path))
            request.state.principal = principal = acting.of_call(request, principal, path)
            authorise(request, principal, path)
            if answers_json and not _takes_json(request.headers.get("accept")):
                raise NotAcceptable("answers are JSON; send Accept: application/json, or none")
            if takes_json and not _is_json(request):
                raise UnsupportedMediaType("send JSON with Content-Type: application/json")
            return await handler(request)

        return secured


def _takes_json(accept: str | None) -> bool:
    """Returns: whether a client takes JSON, by its Accept (RFC 9110, section 12.5.1)."""
    if not accept or accept == "*/*":
        return True
    kinds = (part.partition(";")[0].strip().lower() for part in accept.split(","))
    return any(kind in _JSON_RANGES or kind.endswith("+json") for kind in kinds)


def _is_json(request: Request) -> bool:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not kind:
        # An optional body may be absent altogether.
        return request.headers.get("content-length", "0") == "0" and (
            "transfer-encoding" not in request.headers
        )
    return kind == "application/json" or kind.endswith("+json")


# FastAPI sends dependencies that are plain functions through a thread. These are coroutines, since
# such trips take longer than what they do.
async def state_of(request: Request) -> State:
    """Returns: the clients that the lifespan opened."""
    state: State = request.app.state.gateway
    return state


async def principal_of(request: Request) -> Principal:
    """Returns: the caller whom the route has authenticated."""
    principal: Principal = request.state.principal
    return principal


WaitQuery = Annotated[
    Annotated[float, Field(ge=0, le=3600)] | None,
    Query(
        description="Seconds to wait for the result, at most 40; more counts as 40. Past them the "
        "answer is 202 with a status_url."
    ),
]
PreferHeader = Annotated[
    str | None, Header(description="`wait=N` does what wait_s does.", max_length=256)
]


def wanted_wait(wait_s: float | None, prefer: str | None) -> float | None:
    """Returns: the seconds asked for, by parameter before header; none where neither says."""
    if wait_s is not None:
        return wait_s
    found = _WAIT.search(prefer or "")
    return None if found is None else float(found[1])


async def call_of(
    *,
    request: Request,
    wait_s: WaitQuery = None,
    idempotency_key: Annotated[
        IdempotencyKey | None,
        Query(description="Makes a repeat harmless: it gets the first one's answer. Kept 30 days."),
    ] = None,
    correlation_id: Annotated[
        CorrelationId | None,
        Query(description="Your own id, echoed in results, events, logs and headers."),
    ] = None,
    idempotency_key_header: Annotated[
        IdempotencyKey | None,
        Header(alias="Idempotency-Key", description="Does what idempotency_key does."),
    ] = None,
    correlation_id_header: Annotated[
        CorrelationId | None,
        Header(alias="X-Correlation-ID", description="Does what correlation_id does."),
    ] = None,
    prefer: PreferHeader = None,
) -> Call:
    """Returns: how the call wants its answer; parameters go before headers."""
    trace = request.headers.get("traceparent", "")
    return Call(
        principal=request.state.principal,
        method=request.method,
        route=request.scope["path"],
        wait_s=wanted_wait(wait_s, prefer),
        idempotency_key=idempotency_key or idempotency_key_header,
        correlation_id=correlation_id or correlation_id_header,
        traceparent=trace if _TRACE.fullmatch(trace) else None,
    )


StateDep = Annotated[State, Depends(state_of)]
CallerDep = Annotated[Principal, Depends(principal_of)]
CallDep = Annotated[Call, Depends(call_of)]

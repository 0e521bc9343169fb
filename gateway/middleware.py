"""The edge: ids in the logs, one line and one measurement a call, limits on bodies, safe headers.

Pure ASGI, and outermost: whatever fails inside becomes a problem document here.
"""

import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import public
from gateway.errors import GatewayError, TooLarge
from gateway.life import Life
from gateway.limits.buckets import Account
from gateway.metrics import Metrics
from gateway.problems import rendered
from gateway.settings import GatewaySettings
from schemas.ids import uuid7

_UPLOADS: Final = re.compile(r"/v1/documents|/v1/batches(?:/[^/]+/documents)?")
FRAMING_BYTES: Final = 64 * 1024
"""What multipart adds around a file of the largest size."""

_SECURITY: Final = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cache-control", b"no-store"),
)
_CORRELATION: Final = b"x-correlation-id"
_QUIET: Final = frozenset({"/live", "/ready", "/metrics", "/health"})
_UNMATCHED: Final = "(unmatched)"
_SERVER_ERROR: Final = 500
_SWITCHING: Final = 101

Handler = Callable[[Request, Exception], Awaitable[Response]]

_log = structlog.get_logger("gateway.http")


@dataclass(slots=True)
class _Exchange:
    """What is known of one call as it goes through."""

    scope: Scope
    http_id: str
    length: int
    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    sent_bytes: int = 0
    body_read: bool = False

    @property
    def route(self) -> str:
        """The route's template; never the raw path, which has no end of values."""
        # What is no route of FastAPI's knows its path itself.
        found = self.scope.get("route") or self.scope.get("endpoint")
        return getattr(found, "path", None) or _UNMATCHED


class Edge:
    """Wraps the application."""

    def __init__(
        self, app: ASGIApp, settings: GatewaySettings, metrics: Metrics, life: Life
    ) -> None:
        self._app = app
        self._life = life
        self._settings = settings
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        # Handlers leave their ids here; routers hand copies of the scope on, but this dict is one.
        scope["state"] = dict(scope.get("state", {}))
        has_body, length = _announced(scope)
        exchange = _Exchange(scope, uuid7().hex, length, body_read=not has_body)
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(http_id=exchange.http_id)
        public.begin(self._settings.public_base)
        self._metrics.in_flight.inc()
        try:
            if scope["type"] == "http":
                await self._serve(exchange, receive, send)
            else:
                await self._serve_socket(exchange, receive, send)
        finally:
            self._metrics.in_flight.dec()
        self._account(exchange)

    async def _serve(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        async def answering(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                _add_headers(message, exchange)
                # Closing before the whole body has come in would reset the connection, and the
                # client might never see the answer.
                if self._life.draining and exchange.body_read:
                    MutableHeaders(scope=message)["connection"] = "close"
            elif message["type"] == "http.response.body":
                exchange.sent_bytes += len(message.get("body", b""))
            await send(message)

        scope = exchange.scope
        limit = self._limit(scope)
        try:
            _refuse_too_large(exchange.length, limit)
            await self._app(scope, _limited(receive, limit, exchange), answering)
        except Exception as error:
            handle = None if exchange.status else _handler(scope["app"], error)
            if handle is not None:
                response = await handle(Request(scope, receive), error)
            else:
                _log.exception("unexpected error", route=exchange.route)
                if exchange.status:
                    raise
                response = rendered(_unexpected(), scope["path"])
            await response(scope, receive, answering)

    async def _serve_socket(self, exchange: _Exchange, receive: Receive, send: Send) -> None:
        async def answering(message: Message) -> None:
            if message["type"] == "websocket.accept":
                exchange.status = _SWITCHING
                _add_headers(message, exchange)
            elif message["type"] == "websocket.http.response.start":
                exchange.status = message["status"]
                _add_headers(message, exchange)
            elif message["type"] == "websocket.send":
                exchange.sent_bytes += len(message["text"])
            await send(message)

        scope = exchange.scope
        try:
            await self._app(scope, receive, answering)
        except Exception as error:
            if not isinstance(error, GatewayError):
                _log.exception("unexpected error", route=exchange.route)
                error = _unexpected()
            if exchange.status:
                raise
            # It is no WebSocket yet, so that it can be refused as any call is.
            await rendered(error, scope["path"])(scope, receive, answering)

    def _limit(self, scope: Scope) -> int:
        if scope["method"] == "POST" and _UPLOADS.fullmatch(scope["path"]):
            return self._settings.max_upload_bytes + FRAMING_BYTES
        return self._settings.max_body_bytes

    def _account(self, exchange: _Exchange) -> None:
        # A WebSocket's handshake is a GET, which its scope does not say.
        method, route = exchange.scope.get("method", "GET"), exchange.route
        took = time.perf_counter() - exchange.began
        status = exchange.status or 499  # the client went away before there was an answer
        self._metrics.count_request(method, route, status, took)
        log = _log.debug if route in _QUIET and status < _SERVER_ERROR else _log.info
        log(
            "request",
            method=method,
            route=route,
            status=status,
            duration_ms=round(took * 1000, 1),
            response_bytes=exchange.sent_bytes,
            **exchange.scope["state"].get("log", {}),
        )


def _handler(app: Starlette, error: Exception) -> Handler | None:
    """Returns: what the application answers errors of this class with, or of one that it is."""
    found = (app.exception_handlers.get(each) for each in type(error).__mro__)
    handler: Handler | None = next(filter(None, found), None)
    return handler


def _unexpected() -> GatewayError:
    return GatewayError("an unexpected error; it has been logged, trying again may help")


def _add_headers(message: Message, exchange: _Exchange) -> None:
    given = list(message.get("headers", ()))
    there = {name for name, _ in given}
    given += [one for one in _SECURITY if one[0] not in there]
    state: dict[str, Any] = exchange.scope["state"]
    if _CORRELATION not in there:
        correlation_id: str = state.get("correlation_id", exchange.http_id)
        given.append((_CORRELATION, correlation_id.encode("latin-1")))
    account: Account | None = state.get("rate_limit")
    if account is not None:
        for name, value in account.headers(time.monotonic()).items():
            given.append((name.lower().encode("latin-1"), value.encode("latin-1")))
    message["headers"] = given


def _announced(scope: Scope) -> tuple[bool, int]:
    """Returns: whether a call's head announces a body, and of how many bytes if it says so."""
    has_body, length = False, 0
    for name, value in scope["headers"]:
        if name == b"content-length":
            has_body = has_body or value != b"0"
            length = int(value) if value.isdigit() else 0
        elif name == b"transfer-encoding":
            has_body = True
    return has_body, length


def _refuse_too_large(length: int, limit: int) -> None:
    if length > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is above the limit of {limit} bytes; send less at once")


def _limited(receive: Receive, limit: int, exchange: _Exchange) -> Receive:
    """Wrap `receive` so that a body without a length, or with a false one, ends at the limit."""
    taken = 0

    async def limited() -> Message:
        nonlocal taken
        message = await receive()
        if message["type"] == "http.request":
            taken += len(message.get("body", b""))
            exchange.body_read = not message.get("more_body", False)
            if taken > limit:
                raise _too_large(limit)
        return message

    return limited

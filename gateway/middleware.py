"""The edge: ids in the logs, one line and one measurement a call, limits on bodies, safe headers.

Pure ASGI, and outermost: whatever fails inside becomes a problem document here.
"""

import time
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.errors import GatewayError, TooLarge
from gateway.life import Life
from gateway.limits.buckets import Account
from gateway.metrics import Metrics
from gateway.problems import rendered
from gateway.settings import GatewaySettings
from schemas.ids import uuid7

UPLOAD_PATH: Final = "/v1/documents"
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
_QUIET: Final = frozenset({"/live", "/ready", "/metrics", "/health"})
_UNMATCHED: Final = "(unmatched)"
_SERVER_ERROR: Final = 500
_log = structlog.get_logger("gateway.http")


@dataclass(slots=True)
class _Exchange:
    """What is known of one call as it goes through."""

    scope: Scope
    http_id: str
    began: float = field(default_factory=time.perf_counter)
    status: int = 0
    sent_bytes: int = 0
    body_read: bool = False

    @property
    def route(self) -> str:
        """The route's template; never the raw path, which has no end of values."""
        return getattr(self.scope.get("route"), "path", None) or _UNMATCHED


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
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # Handlers leave their ids here; routers hand copies of the scope on, but this dict is one.
        scope["state"] = dict(scope.get("state", {}))
        exchange = _Exchange(scope, uuid7().hex, body_read=not _has_body(scope))
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(http_id=exchange.http_id)
        with self._metrics.in_flight.track_inprogress():
            await self._serve(exchange, receive, send)
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
            _refuse_too_large(scope, limit)
            await self._app(scope, _limited(receive, limit, exchange), answering)
        except GatewayError as error:
            await self._fail(exchange, error, receive, answering)
        except Exception as error:
            _log.exception("unexpected error", route=exchange.route)
            if exchange.status:
                raise
            await self._fail(exchange, _unexpected(error), receive, answering)

    async def _fail(
        self, exchange: _Exchange, error: GatewayError, receive: Receive, send: Send
    ) -> None:
        if not exchange.status:
            await rendered(error, exchange.scope["path"])(exchange.scope, receive, send)

    def _limit(self, scope: Scope) -> int:
        if scope["path"] == UPLOAD_PATH and scope["method"] == "POST":
            return self._settings.max_upload_bytes + FRAMING_BYTES
        return self._settings.max_body_bytes

    def _account(self, exchange: _Exchange) -> None:
        method = exchange.scope["method"]
        took = time.perf_counter() - exchange.began
        status = exchange.status or 499  # the client went away before there was an answer
        self._metrics.requests.labels(method, exchange.route, str(status)).inc()
        self._metrics.seconds.labels(method, exchange.route).observe(took)
        log = _log.debug if exchange.route in _QUIET and status < _SERVER_ERROR else _log.info
        log(
            "request",
            method=method,
            route=exchange.route,
            status=status,
            duration_ms=round(took * 1000, 1),
            response_bytes=exchange.sent_bytes,
            **exchange.scope["state"].get("log", {}),
        )


def _unexpected(_: Exception) -> GatewayError:
    return GatewayError("an unexpected error; it has been logged, trying again may help")


def _add_headers(message: Message, exchange: _Exchange) -> None:
    given = list(message.get("headers", ()))
    there = {name for name, _ in given}
    message["headers"] = given + [one for one in _SECURITY if one[0] not in there]
    headers = MutableHeaders(scope=message)
    state: dict[str, Any] = exchange.scope["state"]
    headers.setdefault("x-correlation-id", state.get("correlation_id", exchange.http_id))
    account: Account | None = state.get("rate_limit")
    if account is not None:
        for name, value in account.headers(time.monotonic()).items():
            headers.append(name, value)


def _has_body(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"


def _refuse_too_large(scope: Scope, limit: int) -> None:
    length = Headers(scope=scope).get("content-length", "")
    if length.isdecimal() and int(length) > limit:
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

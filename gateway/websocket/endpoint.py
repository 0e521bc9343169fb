"""`/v1/ws`: the handshake, who it is, and what it subscribes to; then a session.

The key comes in the first message, or as a sub-protocol beside `actionstream.v1`: browsers can send
no headers, and what stands in a URL ends in logs.
"""

import asyncio
from typing import Final
from urllib.parse import urlsplit

from starlette.types import Receive, Scope, Send

from gateway.acting import acting, in_headers
from gateway.errors import (
    Forbidden,
    GatewayError,
    GptDisabled,
    Malformed,
    Unauthorised,
    Unavailable,
)
from gateway.events import closing, wanted
from gateway.events.closing import IDLE, Closed
from gateway.events.errors import UpgradeRequired
from gateway.events.hub import Hub
from gateway.limits import addresses
from gateway.limits.counting import count_socket, count_strange_socket
from gateway.principal import Principal
from gateway.state import State
from gateway.websocket.session import Session
from gateway.websocket.socket import PROTOCOL, Socket
from schemas.api.events import Authenticate, PingMessage, Subscribe

AUTHENTICATE_S: Final = 10.0
SUBSCRIBE_S: Final = 30.0
_BEARER: Final = "bearer."


class Endpoint:
    """The ASGI application of a path."""

    def __init__(self, path: str) -> None:
        self.path = path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection. Raises: GatewayError: it is refused before it is accepted."""
        if scope["type"] != "websocket":
            wanted_headers = {"Upgrade": "websocket", "Connection": "upgrade"}
            raise UpgradeRequired("connect with a WebSocket client", headers=wanted_headers)
        state: State = scope["app"].state.gateway
        socket = Socket(scope, receive, send)
        _check_url(scope)
        _check_origin(state, socket)
        state.events.check_life()
        state.events.seats.enter()
        stranger = _Stranger(state.events)
        try:
            await self._served(state, socket, stranger)
        except Closed as closed:
            if closed.closing is not closing.GONE:
                await socket.close(closed.closing)
        except GatewayError as error:
            if not socket.accepted:
                raise
            await socket.say(type="error", problem=closing.shown(error))
            await socket.close(closing.of(error))
        finally:
            stranger.leave()

    async def _served(self, state: State, socket: Socket, stranger: "_Stranger") -> None:
        token = _offered(socket.scope)
        caller = None if token is None else await _identified(state, socket, token)
        await socket.accept()
        if caller is None or token is None:
            first = await _first(socket)
            token = first.token
            caller = await _identified(state, socket, token, first.subject)
        await socket.say(type="authenticated", gpt_id=caller.gpt_id)
        asked = await _subscription(socket)
        chosen = wanted.of(caller.subject, asked.types, asked.subject_id, asked.batch)
        stream = await state.events.open("ws", caller, token, chosen, since=asked.since)
        stranger.leave()
        session = Session(state.events, stream, socket, asked.max_in_flight)
        await session.run()


class _Stranger:
    """A socket's place among those who have not subscribed yet."""

    def __init__(self, hub: Hub) -> None:
        self._hub: Hub | None = hub

    def leave(self) -> None:
        """Give the place back, once."""
        if self._hub is not None:
            self._hub.seats.leave()
            self._hub = None


def _check_url(scope: Scope) -> None:
    if scope["query_string"]:
        raise Malformed(
            "the URL takes no parameters; send the key in the first message, or as a sub-protocol"
        )


def _check_origin(state: State, socket: Socket) -> None:
    """Check that a browser's page may come in. Raises: Forbidden: it may not."""
    origin = socket.header(b"origin")
    if origin is None:
        return
    allowed = {one.strip() for one in state.settings.websocket_origins.split(",")}
    own = state.settings.public_url or f"//{socket.header(b'host')}"
    is_own = urlsplit(origin).netloc == urlsplit(own).netloc
    if not (is_own or origin in allowed or "*" in allowed):
        raise Forbidden("pages of this origin may not connect; see ACTIONSTREAM_WEBSOCKET_ORIGINS")


def _offered(scope: Scope) -> str | None:
    """Returns: the key that is among the sub-protocols, if one is."""
    found = [one for one in scope["subprotocols"] if one.startswith(_BEARER)]
    if found and PROTOCOL not in scope["subprotocols"]:
        raise Malformed(f"offer the sub-protocol {PROTOCOL} beside that of the key")
    return found[0].removeprefix(_BEARER) if found else None


async def _identified(
    state: State, socket: Socket, token: str, subject: str | None = None
) -> Principal:
    """Returns: whose key it is, or the end user that is named with it, after it was counted.

    Raises:
        Unauthorised, GptDisabled, Forbidden: it does not open events, or not that end user's.
        InvalidInput: no end user can be called so.
        RateLimited: it was used, or tried, too often.
        Unavailable: Postgres is away, and this gateway does not know the key.
    """
    try:
        address = addresses.counted(addresses.of(socket.scope))
        caller = state.keys.remembered(token) or await state.keys.read(token, address)
    except (Unauthorised, GptDisabled, Unavailable):
        await count_strange_socket(state, socket.scope)
        raise
    await count_socket(state, caller)
    told = [] if subject is None else [("message", subject)]
    caller = acting(caller, in_headers(socket.scope) + told)
    if not caller.may("read"):
        state.keys.count_refusal("scope")
        raise Forbidden("the key's scopes do not cover this: it needs the scope read")
    return caller


async def _first(socket: Socket) -> Authenticate:
    """Returns: the first message, which has the key. Raises: Closed: none came in time."""
    try:
        async with asyncio.timeout(AUTHENTICATE_S):
            message = await socket.take()
    except TimeoutError:
        raise Closed(IDLE) from None
    if not isinstance(message, Authenticate):
        raise Malformed('authenticate first: {"type": "authenticate", "token": "…"}')
    return message


async def _subscription(socket: Socket) -> Subscribe:
    """Returns: what the client wants. Raises: Closed: it did not say so in time."""
    try:
        async with asyncio.timeout(SUBSCRIBE_S):
            while isinstance(message := await socket.take(), PingMessage):
                await socket.say(type="pong", id=message.id)
    except TimeoutError:
        raise Closed(IDLE) from None
    if not isinstance(message, Subscribe):
        raise Malformed('subscribe first: {"type": "subscribe"}')
    return message

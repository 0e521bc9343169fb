"""The protocols under the application: what is not HTTP is answered by a problem document too.

Each call's scope has the connection beneath it, for streams whose client does not read.
"""

import asyncio
import random
import socket
from collections.abc import Callable, MutableMapping
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from gateway import public
from gateway.errors import Malformed
from gateway.problems import response

WEBSOCKET_PATH: Final = "/v1/ws"
CONNECTION: Final = "actionstream.connection"
"""The extension of ASGI under which a scope has its connection."""

MAX_MESSAGE_BYTES: Final = 64 * 1024
"""Largest message that a WebSocket's client may send; the protocol closes with 1009 beyond."""

_PING_S: Final = 20.0
"""A client of a WebSocket that does not answer a ping within so long is taken for gone."""

_HEAD: Final = b"HTTP/1.1 "
_STATUS_LINE: Final = _HEAD + b"400 Bad Request\r\n"
_SEND_BUFFER_BYTES: Final = 256 * 1024
_FAREWELL_S: Final = 5.0
"""How long a client that did not read has to read why it is cut off."""


class Connection:
    """What a stream may do to the connection beneath it.

    Args:
        transport: of the connection.
        go_on: lets what waits for the client to read be written all the same.
    """

    __slots__ = ("_go_on", "_transport")

    def __init__(self, transport: asyncio.Transport, go_on: Callable[[], None]) -> None:
        self._transport = transport
        self._go_on = go_on

    def bound(self) -> None:
        """Have the kernel hold little for a client that does not read; by itself it takes MBs."""
        found = self._transport.get_extra_info("socket")
        if found is not None:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)

    def hurry(self) -> None:
        """Let the last words be written to a client that does not read, and cut it off then."""
        self._go_on()
        asyncio.get_running_loop().call_later(_FAREWELL_S, self._transport.abort)


def connection_of(scope: MutableMapping[str, Any]) -> Connection | None:
    """Returns: the connection of a call; none where another server serves the application."""
    return cast("Connection | None", scope.get("extensions", {}).get(CONNECTION))


class WholeAnswers:
    """A transport that writes the head of an answer in one piece with what follows it at once.

    Uvicorn writes them one after the other, and the kernel wakes the client for each.
    """

    __slots__ = ("_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._loop = asyncio.get_running_loop()
        self._head = b""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - all else is the transport's own
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write these bytes; a head, when the event loop goes on at the latest."""
        if self._head:
            data, self._head = self._head + data, b""
        elif data.startswith(_HEAD):
            self._head = data
            self._loop.call_soon(self._write_head)
            return
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection once all is written."""
        self._write_head()
        self._transport.close()

    def _write_head(self) -> None:
        if self._head and not self._transport.is_closing():
            self.write(b"")


class Protocol(HttpToolsProtocol):
    """Serves one connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection."""
        super().connection_made(cast("asyncio.Transport", WholeAnswers(transport)))

    def on_message_begin(self) -> None:
        """Begin a call: its scope gets the connection."""
        super().on_message_begin()
        own = Connection(self.transport, self.flow.resume_writing)
        cast("dict[str, Any]", self.scope)["extensions"] = {CONNECTION: own}

    def send_400_response(self, msg: str) -> None:
        """Answer what cannot be parsed, and close; uvicorn's own answer is a line of text."""
        del msg
        public.begin(getattr(self.config.app, "public_base", ""))
        error = Malformed("this is not HTTP/1.1, or its URL has more than 65,535 characters")
        answer = response(error.problem(), {"connection": "close", "cache-control": "no-store"})
        lines = [name + b": " + value + b"\r\n" for name, value in answer.raw_headers]
        self.transport.write(b"".join([_STATUS_LINE, *lines, b"\r\n", bytes(answer.body)]))
        self.transport.close()

    def _should_upgrade_to_ws(self) -> bool:
        # Elsewhere a wish for another protocol is ignored, as RFC 9110 (7.8) allows.
        path = self.url.partition(b"?")[0]
        return path == WEBSOCKET_PATH.encode() and super()._should_upgrade_to_ws()

    def _unsupported_upgrade_warning(self) -> None:
        # It is no mistake of the installation, which uvicorn's own words say.
        pass


class SocketProtocol(WebSocketsSansIOProtocol):
    """Serves one WebSocket."""

    def start_keepalive(self) -> None:
        """Ping from now on, in a rhythm of its own: all may have come at the same time."""
        self.ping_interval = _PING_S * random.uniform(0.5, 1)  # noqa: S311 - no secret
        super().start_keepalive()

    async def run_asgi(self) -> None:
        """Run the application; its scope gets the connection."""
        own = Connection(self.transport, self.writable.set)
        extensions = cast("dict[str, Any]", self.scope["extensions"])
        extensions[CONNECTION] = own
        await super().run_asgi()


SERVING: Final[dict[str, Any]] = {
    "http": Protocol,
    "ws": SocketProtocol,
    "ws_max_size": MAX_MESSAGE_BYTES,
    "ws_ping_interval": _PING_S,
    "ws_ping_timeout": _PING_S,
    # It would cost memory for each connection, and what is sent is small.
    "ws_per_message_deflate": False,
}
"""How uvicorn is to speak."""

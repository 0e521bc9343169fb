"""How a gateway ends without cutting anyone off, and the server that does it.

Told to stop, it says so on `/ready` and on every answer (`Connection: close`), and goes on serving
for the time that load balancers need to notice. Only then does it stop taking connections.
"""

import asyncio
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from types import FrameType
from typing import Final

import structlog
import uvicorn

_LINGER_S: Final = 1.0
"""How long a connection that was just taken may be silent before its first request comes."""

_log = structlog.get_logger("gateway.life")


class Life:
    """Whether the gateway is on its way out; all that serve look here."""

    __slots__ = ("draining",)

    def __init__(self) -> None:
        self.draining = False


class Server(uvicorn.Server):
    """Serves on one socket until SIGTERM or SIGINT, then drains.

    Args:
        config: of uvicorn.
        life: told as soon as a signal comes.
        drain: how long it goes on serving all who come after that.
        stop_waiting: has calls that wait for a result answer as things stand.
    """

    def __init__(
        self,
        config: uvicorn.Config,
        life: Life,
        drain: timedelta,
        stop_waiting: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._life = life
        self._drain_s = drain.total_seconds()
        self._stop_waiting = stop_waiting
        self._socket: socket.socket | None = None

    def bind(self) -> socket.socket:
        """Returns: the socket to serve on; the server keeps a handle of its own to it."""
        bound = self.config.bind_socket()
        bound.setblocking(False)
        self._socket = bound.dup()
        return bound

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first signal; a second SIGINT ends at once."""
        super().handle_exit(sig, frame)
        self._life.draining = True
        self._stop_waiting()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drain, stop listening, finish what is in flight, close the clients."""
        _log.info("draining", seconds=self._drain_s)
        await self._until(lambda: self.force_exit, self._drain_s)
        await self._stop_listening()
        await self._until(lambda: self.force_exit or self._silent, _LINGER_S)
        await super().shutdown(sockets)

    @property
    def _silent(self) -> bool:
        return not self.server_state.connections

    async def _stop_listening(self) -> None:
        for server in self.servers:
            server.close()
        if self._socket is None:
            return
        # Clients whose connection the kernel has made, and that nobody has accepted yet, would be
        # reset by the closing of the socket; the last look and the closing are microseconds apart.
        waiting = []
        with self._socket as listener:
            listener.setblocking(False)
            while True:
                try:
                    waiting.append(listener.accept()[0])
                except OSError:
                    break
        loop = asyncio.get_running_loop()
        for connection in waiting:
            connection.setblocking(False)
            await loop.connect_accepted_socket(self._protocol, connection)

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol

    @staticmethod
    async def _until(true: Callable[[], bool], limit_s: float) -> None:
        # What is waited for is what uvicorn counts, and it tells nobody when that changes.
        end = time.monotonic() + limit_s
        while not true() and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.02)

"""A subscription at work: events go out, acknowledgements come in, never too many in between."""

import asyncio
from collections import deque
from typing import assert_never

from gateway.errors import GatewayError, Malformed
from gateway.events import closing
from gateway.events.closing import GONE, Closed
from gateway.events.hub import Hub
from gateway.events.stream import AT_ONCE, Stream
from gateway.websocket.socket import Socket
from gateway.wire import connection_of
from schemas.api.events import Acknowledge, Authenticate, ClientMessage, PingMessage, Subscribe


class Session:
    """Use it on one event loop.

    Args:
        hub: told of what is sent, and given the stream back.
        stream: what the client subscribed to.
        socket: its connection.
        most: events that may wait to be acknowledged.
    """

    def __init__(self, hub: Hub, stream: Stream, socket: Socket, most: int) -> None:
        self._hub = hub
        self._stream = stream
        self._socket = socket
        self._most = most
        self._in_flight: deque[int] = deque()
        self._acknowledged = stream.place

    async def run(self) -> None:
        """Serve until there is a reason to end. Raises: Closed: the stream has ended."""
        stream, socket = self._stream, self._socket
        connection = connection_of(socket.scope)
        if connection is not None:
            connection.bound()
            stream.hurry = connection.hurry
        listening = asyncio.create_task(self._listen())
        try:
            cursor = stream.places.seal(stream.place)
            await socket.say(type="subscribed", cursor=cursor, max_in_flight=self._most)
            await self._send_all()
        except Closed as closed:
            if closed.closing is not GONE:
                cursor = stream.places.seal(self._acknowledged)
                await socket.say(type="closed", acknowledged=cursor, **closed.closing.told())
            raise
        finally:
            listening.cancel()
            self._hub.release(stream)

    async def _send_all(self) -> None:
        """Raises: Closed: in the end."""
        stream, socket, told = self._stream, self._socket, self._stream.place
        while True:
            while len(self._in_flight) >= self._most:
                stream.blocked()
                await stream.pause()
            stream.moved()
            events = await stream.next(min(AT_ONCE, self._most - len(self._in_flight)))
            stream.blocked()
            for event in events:
                self._in_flight.append(event.sequence)
                await socket.send(event.message(stream.places))
            self._hub.sent(stream.kind, len(events))
            if events:
                told = events[-1].sequence
            elif stream.place != told and not self._in_flight:
                # Whoever comes back need not go through what was not wanted again.
                told = self._acknowledged = stream.place
                await socket.say(type="position", cursor=stream.places.seal(told))

    async def _listen(self) -> None:
        """Do what the client says, until it goes or says something wrong."""
        try:
            while True:
                await self._do(await self._socket.take())
        except Closed as closed:
            self._stream.close(closed.closing)
        except GatewayError as error:
            self._stream.close(closing.of(error))

    async def _do(self, message: ClientMessage) -> None:
        match message:
            case Acknowledge():
                self._acknowledge(message.cursor)
            case PingMessage():
                await self._socket.say(type="pong", id=message.id)
            case Subscribe() | Authenticate():
                raise Malformed(f"this connection has had its {message.type}; open another one")
            case _:
                assert_never(message)

    def _acknowledge(self, cursor: str) -> None:
        place = self._stream.places.number(cursor)
        if place > (self._in_flight[-1] if self._in_flight else self._acknowledged):
            raise Malformed("nothing behind that cursor has been sent to acknowledge")
        while self._in_flight and self._in_flight[0] <= place:
            self._acknowledged = self._in_flight.popleft()
        if len(self._in_flight) < self._most:
            self._stream.wake()

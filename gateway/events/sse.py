"""Server-sent events: a stream as the answer to a call, for as long as its client stays.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import json
import random
from contextlib import suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from gateway.errors import TooLarge
from gateway.events.closing import GONE, Closed, Closing
from gateway.events.event import Event
from gateway.events.hub import Hub
from gateway.events.stream import Stream
from gateway.wire import connection_of

MEDIA_TYPE: Final = "text/event-stream"
_RETRY_MS: Final = (1000, 4000)
"""Clients of a gateway that ends come back spread over these."""


class EventStream(Response):
    """The answer; it releases its stream in the end."""

    media_type = MEDIA_TYPE

    def __init__(self, hub: Hub, stream: Stream) -> None:
        # Proxies are to hand on each event at once, and to change nothing.
        super().__init__(headers={"Cache-Control": "no-store, no-transform", "Connection": "close"})
        del self.headers["content-length"]
        self.headers["X-Accel-Buffering"] = "no"
        self._hub = hub
        self._stream = stream
        self._told = stream.place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send events until there is a reason to end."""
        stream = self._stream
        watching = asyncio.create_task(_watch(stream, receive))
        connection = connection_of(scope)
        if connection is not None:
            connection.bound()
            stream.hurry = connection.hurry
        try:
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            await send(start)
            await self._send_all(send)
        except Closed as closed:
            if closed.closing is not GONE:
                await send({"type": "http.response.body", "body": _closed(closed.closing)})
        finally:
            watching.cancel()
            self._hub.release(stream)

    async def _send_all(self, send: Send) -> None:
        """Raises: Closed: in the end."""
        stream = self._stream
        text = f"retry: {random.randint(*_RETRY_MS)}\n{_place(stream)}\n"  # noqa: S311 - no secret
        piece = text.encode()
        while True:
            stream.blocked()
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            stream.moved()
            piece = self._piece(await stream.next())

    def _piece(self, events: list[Event]) -> bytes:
        """Returns: what these are sent as, or a sign of life where there are none."""
        stream, told = self._stream, self._told
        self._told = stream.place
        if events:
            self._hub.sent(stream.kind, len(events))
            self._told = events[-1].sequence
            return b"".join([event.frame(stream.places) for event in events])
        # Whoever comes back need not go through what was not wanted again.
        moved = _place(stream) if stream.place != told else ""
        return f": ping\n{moved}\n".encode()


def _place(stream: Stream) -> str:
    return f"id: {stream.places.seal(stream.place)}\n"


def _closed(closing: Closing) -> bytes:
    return f"event: closed\ndata: {json.dumps(closing.told())}\n\n".encode()


async def _watch(stream: Stream, receive: Receive) -> None:
    """End the stream when its client goes, or sends more than it may."""
    try:
        with suppress(TooLarge):
            while (await receive())["type"] != "http.disconnect":
                pass
    finally:
        stream.close(GONE)

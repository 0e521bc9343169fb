"""A WebSocket as the rest sees it: one message after the other, each of a known kind.

Source: ASGI, https://asgi.readthedocs.io/en/latest/specs/www.html#websocket
"""

import contextlib
import json
from typing import Any, Final

from pydantic import ValidationError
from starlette.types import Message, Receive, Scope, Send

from gateway.errors import InvalidInput, Malformed
from gateway.events.closing import GONE, Closed, Closing
from schemas.api.events import CLIENT_MESSAGES, ClientMessage

PROTOCOL: Final = "actionstream.v1"
_REASON_BYTES: Final = 120
"""A frame that closes has room for 123 bytes of reason (RFC 6455, 5.5)."""


class Socket:
    """One connection; `accept` it before anything else."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.accepted = False

    def header(self, name: bytes) -> str | None:
        """Returns: a header of the handshake, if it is there."""
        found = [value for key, value in self.scope["headers"] if key == name]
        return found[0].decode("latin-1") if found else None

    async def accept(self) -> None:
        """Begin, with the sub-protocol if the client offers it."""
        chosen = PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None
        await self._receive()
        await self._out({"type": "websocket.accept", "subprotocol": chosen})
        self.accepted = True

    async def take(self) -> ClientMessage:
        """Returns: the client's next message.

        Raises:
            Malformed: it is no JSON text.
            InvalidInput: it is no message that is known here.
            Closed: the client has gone.
        """
        message = await self._receive()
        if message["type"] == "websocket.disconnect":
            raise Closed(GONE)
        text = message.get("text")
        if text is None:
            raise Malformed("messages are JSON in text frames")
        try:
            return CLIENT_MESSAGES.validate_json(text)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            if first["type"] == "json_invalid":
                raise Malformed("the message is not JSON") from None
            # The name of the message is the first part of the place, where one was recognised.
            place = "/".join(str(part) for part in first["loc"][1:])
            raise InvalidInput.at(f"/{place}", first["msg"].lower()) from None

    async def say(self, **message: Any) -> None:  # noqa: ANN401 - any JSON value
        """Send a message."""
        await self.send(json.dumps(message, separators=(",", ":")))

    async def send(self, text: str) -> None:
        """Send a message that is text already. Raises: Closed: the client has gone."""
        await self._out({"type": "websocket.send", "text": text})

    async def close(self, closing: Closing) -> None:
        """Close it, with a code and the reason."""
        reason = closing.reason.encode()[:_REASON_BYTES].decode(errors="ignore")
        with contextlib.suppress(Closed):
            await self._out({"type": "websocket.close", "code": closing.code, "reason": reason})

    async def _out(self, message: Message) -> None:
        try:
            await self._send(message)
        except OSError:
            # What ASGI raises where the client has gone.
            raise Closed(GONE) from None

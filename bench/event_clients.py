"""Many followers of events in one process: raw sockets, and the time at which each event came.

Runs as a process of its own (`python -m bench.event_clients`), takes a plan as JSON on standard
input, says `ready` once all follow, and writes the times to a file. It does little more than find
the numbers of events in what comes, so that it is cheap beside what it measures.
"""

import asyncio
import gc
import json
import os
import re
import sys
import time
from collections import defaultdict
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal, cast

import uvloop

_SEQUENCE: Final = re.compile(rb'"sequence":(\d+),')
_AT_ONCE: Final = 50
"""Connections that are being made at the same time."""

_ACK_EVERY: Final = 100
_PING: Final = 9
_TWO_BYTES: Final = 126
_EIGHT_BYTES: Final = 127
_NO_MASK: Final = bytes(4)
"""A mask of zeros leaves a payload as it is, and is one all the same (RFC 6455, 5.3)."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Who follows what: so many streams of a kind, each until it has so many events."""

    kind: Literal["sse", "ws"]
    port: int
    key: str
    streams: int
    events: int
    result: str
    """The file that takes what was measured."""
    patience_s: float = 120


@dataclass(slots=True)
class Counted:
    """What has come to all streams of this process."""

    wanted: int
    arrivals: dict[int, list[float]]
    done: asyncio.Event
    count: int = 0

    def came(self, number: int, at: float) -> None:
        """Note the arrival of an event at one stream."""
        self.arrivals[number].append(at)
        self.count += 1
        if self.count == self.wanted:
            self.done.set()


class Follower(asyncio.Protocol):
    """One stream of server-sent events."""

    begun = b"id: "

    def __init__(self, plan: Plan, counted: Counted) -> None:
        self.plan = plan
        self.counted = counted
        self.ready = asyncio.get_running_loop().create_future()
        self.transport: asyncio.Transport | None = None
        self.rest = b""

    def request(self) -> bytes:
        """Returns: what opens the stream."""
        return (
            f"GET /v1/events/stream HTTP/1.1\r\nHost: bench\r\n"
            f"Authorization: Bearer {self.plan.key}\r\n\r\n"
        ).encode()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Open the stream."""
        self.transport = cast("asyncio.Transport", transport)
        self.transport.write(self.request())

    def data_received(self, data: bytes) -> None:
        """Note what has come."""
        self.take(data)

    def take(self, text: bytes) -> int:
        """Returns: how many events are whole in what has come so far."""
        at = time.monotonic()
        text = self.rest + text
        end = found = 0
        for match in _SEQUENCE.finditer(text):
            self.counted.came(int(match[1]), at)
            end = match.end()
            found += 1
        self.rest = text[end:]
        if not self.ready.done() and self.begun in text:
            self.ready.set_result(None)
        return found

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so where it did not begin."""
        if not self.ready.done():
            self.ready.set_exception(exc or ConnectionError(self.rest[:600].decode()))


class SocketFollower(Follower):
    """One WebSocket; it acknowledges every hundredth event."""

    begun = b'"subscribed"'

    def __init__(self, plan: Plan, counted: Counted) -> None:
        super().__init__(plan, counted)
        self.buffer = b""
        self.is_open = False
        self.unacknowledged = 0

    def request(self) -> bytes:
        """Returns: the handshake."""
        return (
            "GET /v1/ws HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            f"Sec-WebSocket-Protocol: actionstream.v1, bearer.{self.plan.key}\r\n\r\n"
        ).encode()

    def data_received(self, data: bytes) -> None:
        """Take frames apart."""
        self.buffer += data
        if not self.is_open:
            head, found, rest = self.buffer.partition(b"\r\n\r\n")
            if not found:
                return
            self.is_open, self.buffer = True, rest
            if b" 101 " not in head:
                self.rest = head + rest
            else:
                self._say({"type": "subscribe", "max_in_flight": 1000})
        while (frame := self._frame()) is not None:
            opcode, payload = frame
            if opcode == _PING:
                self._send(0x8A, payload)
                continue
            self.unacknowledged += self.take(payload)
            if self.unacknowledged >= _ACK_EVERY:
                self.unacknowledged = 0
                self._say({"type": "ack", "cursor": json.loads(payload)["cursor"]})

    def _frame(self) -> tuple[int, bytes] | None:
        buffer = self.buffer
        if len(buffer) < 2:
            return None
        length, start = buffer[1], 2
        if length in {_TWO_BYTES, _EIGHT_BYTES}:
            start = 4 if length == _TWO_BYTES else 10
            length = int.from_bytes(buffer[2:start], "big")
        if len(buffer) < start + length:
            return None
        self.buffer = buffer[start + length :]
        return buffer[0] & 15, buffer[start : start + length]

    def _say(self, message: dict[str, object]) -> None:
        self._send(0x81, json.dumps(message).encode())

    def _send(self, first: int, payload: bytes) -> None:
        if self.transport is None:
            raise RuntimeError("not connected")
        size = len(payload)
        length = bytes([0x80 | size]) if size < _TWO_BYTES else b"\xfe" + size.to_bytes(2, "big")
        self.transport.write(bytes([first]) + length + _NO_MASK + payload)


async def follow(plan: Plan) -> dict[str, object]:
    """Returns: the times at which each event came, and what share of a core that took."""
    loop = asyncio.get_running_loop()
    counted = Counted(plan.streams * plan.events, defaultdict(list), asyncio.Event())
    kind = Follower if plan.kind == "sse" else SocketFollower
    made: list[Follower] = []
    for first in range(0, plan.streams, _AT_ONCE):
        pairs = await asyncio.gather(
            *(
                loop.create_connection(lambda: kind(plan, counted), "127.0.0.1", plan.port)
                for _ in range(min(_AT_ONCE, plan.streams - first))
            )
        )
        made += [each for _, each in pairs]
        await asyncio.gather(*(each.ready for _, each in pairs))
    gc.freeze()
    print("ready", flush=True)
    began, cpu = time.monotonic(), sum(os.times()[:2])
    try:
        async with asyncio.timeout(plan.patience_s):
            await counted.done.wait()
    except TimeoutError:
        print(f"{counted.wanted - counted.count} events did not come", file=sys.stderr)
    took = time.monotonic() - began
    for each in made:
        if each.transport is not None:
            each.transport.close()
    return {"arrivals": counted.arrivals, "cpu": (sum(os.times()[:2]) - cpu) / took}


def main() -> None:
    """Follow what the plan on standard input says."""
    plan = Plan(**json.loads(sys.stdin.readline()))
    Path(plan.result).write_text(json.dumps(uvloop.run(follow(plan))), encoding="utf-8")


def as_line(plan: Plan) -> bytes:
    """Returns: a plan as this process takes it."""
    return json.dumps(asdict(plan)).encode() + b"\n"


if __name__ == "__main__":
    main()

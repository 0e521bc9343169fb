"""A receiver of webhooks on loopback, whose answers depend on the path."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
from standardwebhooks import Webhook

_OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass(frozen=True)
class Got:
    """One delivery as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        found: dict[str, Any] = orjson.loads(self.body)
        return found

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def verified(self, secret: str) -> dict[str, Any]:
        """Returns: the event, if the signature is good by the library of Standard Webhooks."""
        found: dict[str, Any] = Webhook(secret).verify(self.body, self.headers)
        return found


@dataclass
class Receiver:
    """Answers /status/N with N, and misbehaves on /hang, /endless, /drip, /slow and /redirect.

    `answers` are given to the first deliveries, before all paths; `failing` events get 500.
    """

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    failing: set[int] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)
    most_at_once: dict[str, int] = field(default_factory=dict)
    busy: dict[str, int] = field(default_factory=dict)

    def url(self, path: str = "/", host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"

    async def until(self, count: int) -> list[Got]:
        """Returns: the deliveries, once there are so many."""
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.got) >= count)
        return self.got

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                await self._one(reader, writer)
        writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path = lines[0].split()[1]
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        got = Got(path, headers, await reader.readexactly(int(headers["content-length"])))
        self.busy[path] = self.busy.get(path, 0) + 1
        self.most_at_once[path] = max(self.most_at_once.get(path, 0), self.busy[path])
        try:
            await self._note(got)
            await self._answer(got, writer)
            await writer.drain()
        finally:
            self.busy[path] -= 1

    async def _note(self, got: Got) -> None:
        async with self.changed:
            self.got.append(got)
            self.changed.notify_all()

    async def _answer(self, got: Got, writer: asyncio.StreamWriter) -> None:
        kind, _, rest = got.path.strip("/").partition("/")
        if self.answers:
            writer.write(self.answers.pop(0))
        elif got.event["sequence"] in self.failing:
            writer.write(status(500))
        elif kind == "status":
            writer.write(status(int(rest)))
        elif kind in {"hang", "slow"}:
            await asyncio.sleep(3600 if kind == "hang" else float(rest))
            writer.write(_OK)
        else:
            async for piece in _pieces(kind):
                writer.write(piece)
                await writer.drain()


async def _pieces(kind: str) -> AsyncIterator[bytes]:
    """Yield an answer in the pieces in which it comes."""
    if kind == "redirect":
        yield b"HTTP/1.1 301 Moved\r\nlocation: /\r\ncontent-length: 0\r\n\r\n"
    elif kind == "endless":
        yield b"HTTP/1.1 200 OK\r\n\r\n"
        while True:
            yield b"x" * 65_536
    elif kind == "drip":
        for byte in b"HTTP/1.1 200 OK\r\nx-much: " + b"x" * 60_000:
            yield bytes([byte])
            await asyncio.sleep(0.02)
    else:
        yield _OK


def status(code: int, *headers: str) -> bytes:
    """An answer of this status, with a small body."""
    more = "".join(f"{header}\r\n" for header in headers)
    return f"HTTP/1.1 {code} Some\r\n{more}content-length: 4\r\n\r\nbody".encode()


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver that listens while in this context."""
    receiver = Receiver()
    listener = await asyncio.start_server(receiver.serve, "127.0.0.1", 0)
    receiver.port = listener.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        listener.close()

"""A load generator: so many clients, each of which sends its next request when it has an answer.

Runs as a process of its own (`python -m bench.load`), takes a plan as JSON on standard input and
gives what it measured on standard output. It does little more than write and read bytes, so that
it is cheap beside what it measures, and it says what it cost.
"""

import asyncio
import gc
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import cycle
from typing import Final, cast

import uvloop

from bench.percentiles import percentile

MARK: Final = "@@@@@@@@"
"""What of a request is replaced by a number that no other one has, of as many digits."""

_HEAD_END: Final = b"\r\n\r\n"
_DRAIN_S: Final = 120
_DIGITS: Final = len(MARK)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to send, by how many clients, and how long; all times in seconds.

    Clients share the ports evenly, as behind a balancer. A request that is answered with the status
    `again` is sent once more, and its time runs on.
    """

    ports: Sequence[int]
    requests: Sequence[str]
    status: int
    clients: int
    seconds: float
    warm: float = 1.0
    first: int = 0
    again: int | None = None


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of a plan; latencies in milliseconds, of the requests that ended in its time."""

    requests: int
    per_s: float
    p50: float
    p95: float
    p99: float
    repeats: int
    errors: int
    trouble: str | None
    client_cpu: float
    """Share of one core that the generator itself took."""
    last: int
    """The first number that no request had."""


@dataclass(slots=True)
class Answer:
    """One answer as its bytes come in; HTTP/1.1 with a Content-Length, or without any body."""

    status: int = 0
    closes: bool = False
    _buffer: bytes = b""
    _whole: int = 0

    def feed(self, data: bytes) -> bool:
        """Returns: whether the answer is complete.

        Raises:
            ValueError: it is in no form that this generator reads.
        """
        self._buffer = self._buffer + data if self._buffer else data
        if not self._whole:
            end = self._buffer.find(_HEAD_END)
            if end < 0:
                return False
            self._read_head(self._buffer[:end].lower(), end + len(_HEAD_END))
        if len(self._buffer) > self._whole:
            raise ValueError("an answer has more bytes than it says")
        return len(self._buffer) == self._whole

    @property
    def shown(self) -> str:
        """The beginning of the answer, for a message."""
        return self._buffer[:600].decode(errors="replace")

    def _read_head(self, head: bytes, length: int) -> None:
        self.status = int(head[9:12])
        self.closes = b"\r\nconnection: close" in head
        _, named, rest = head.partition(b"\r\ncontent-length:")
        if not named and self.status != 204:
            raise ValueError(f"an answer without a length: {head[:200].decode(errors='replace')}")
        self._whole = length + (int(rest.partition(b"\r\n")[0]) if named else 0)


@dataclass(slots=True)
class Run:
    """One plan at work: what is sent next, and what was measured."""

    plan: Plan
    pieces: list[tuple[bytes, bytes | None]]
    number: int
    measured_from: float = 0.0
    until: float = 0.0
    latencies: list[float] = field(default_factory=list)
    repeats: int = 0
    errors: int = 0
    trouble: str | None = None

    @classmethod
    def of(cls, plan: Plan) -> "Run":
        """Returns: the run of a plan; its requests are in an order of their own, always the same.

        So that none of them is asked for more often than the others.
        """
        pieces = []
        for request in plan.requests:
            before, marked, after = request.partition(MARK)
            pieces.append((before.encode(), after.encode() if marked else None))
        random.Random(plan.clients).shuffle(pieces)
        return cls(plan, pieces, plan.first)

    def request(self) -> bytes:
        """Returns: the bytes of the next request."""
        before, after = self.pieces[self.number % len(self.pieces)]
        self.number += 1
        if after is None:
            return before
        return before + str(self.number % 10**_DIGITS).zfill(_DIGITS).encode() + after

    def ended(self, began: float, answer: Answer) -> bool:
        """Count one answer. Returns: whether its request is to be sent once more."""
        now = time.perf_counter()
        if answer.status == self.plan.again:
            self.repeats += 1
            return True
        if answer.status != self.plan.status:
            self.failed(answer.shown)
        elif self.measured_from <= now < self.until:
            self.latencies.append((now - began) * 1000)
        return False

    def failed(self, why: str) -> None:
        """Count one failure, whenever it was; the first one is told."""
        self.errors += 1
        self.trouble = self.trouble or why

    def figures(self, cpu_s: float, wall_s: float) -> Figures:
        """Returns: what was measured."""
        taken = self.latencies or [0.0]
        return Figures(
            requests=len(self.latencies),
            per_s=len(self.latencies) / self.plan.seconds,
            p50=percentile(taken, 0.5),
            p95=percentile(taken, 0.95),
            p99=percentile(taken, 0.99),
            repeats=self.repeats,
            errors=self.errors,
            trouble=self.trouble,
            client_cpu=cpu_s / wall_s,
            last=self.number,
        )


class _Client(asyncio.Protocol):
    """One client: sends, waits for the answer, sends again, on one connection while it is kept."""

    def __init__(self, run: Run, port: int, done: asyncio.Future[None]) -> None:
        self._run = run
        self._port = port
        self._done = done
        self._transport: asyncio.Transport | None = None
        self._answer = Answer()
        self._request = run.request()
        self._began = time.perf_counter()

    async def connect(self) -> None:
        """Connect and send the request; the time to connect is the request's."""
        loop = asyncio.get_running_loop()
        try:
            await loop.create_connection(lambda: self, "127.0.0.1", self._port)
        except OSError as error:
            self._end(repr(error))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the request."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Take a piece of an answer; when it is whole, go on."""
        try:
            if not self._answer.feed(data):
                return
        except ValueError as error:
            self._end(str(error))
            return
        repeated = self._run.ended(self._began, self._answer)
        if self._run.errors or time.perf_counter() >= self._run.until:
            self._end(None)
            return
        if not repeated:
            self._began = time.perf_counter()
            self._request = self._run.request()
        if self._answer.closes:
            self._drop()
            self._connecting = asyncio.ensure_future(self.connect())
        else:
            self._send()

    def connection_lost(self, exc: Exception | None) -> None:
        """A connection that ends before its answer has come is an error."""
        if self._transport is not None:
            self._transport = None
            self._end(f"the connection was lost: {exc!r}")

    def _send(self) -> None:
        self._answer = Answer()
        if self._transport is not None:
            self._transport.write(self._request)

    def _drop(self) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def _end(self, why: str | None) -> None:
        if why is not None:
            self._run.failed(why)
        self._drop()
        if not self._done.done():
            self._done.set_result(None)


async def perform(plan: Plan) -> Figures:
    """Returns: what a plan gave; requests that are under way at its end are waited for.

    Raises:
        TimeoutError: they have no answer two minutes later.
    """
    run = Run.of(plan)
    loop = asyncio.get_running_loop()
    ends = [loop.create_future() for _ in range(plan.clients)]
    clients = [_Client(run, port, end) for end, port in zip(ends, cycle(plan.ports), strict=False)]
    wall, cpu = time.perf_counter(), time.process_time()
    run.measured_from = wall + plan.warm
    run.until = run.measured_from + plan.seconds
    await asyncio.gather(*(client.connect() for client in clients))
    await asyncio.wait_for(asyncio.gather(*ends), plan.warm + plan.seconds + _DRAIN_S)
    return run.figures(time.process_time() - cpu, time.perf_counter() - wall)


def measure(plan: Plan) -> Figures:
    """Returns: what a plan gave, sent by a process of its own.

    Raises:
        RuntimeError: a request failed; a measure of errors would be none.
    """
    done = subprocess.run(
        [sys.executable, "-m", "bench.load"],
        input=json.dumps(asdict(plan)),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = Figures(**json.loads(done.stdout))
    if found.errors:
        raise RuntimeError(f"{found.errors} requests failed, the first one: {found.trouble}")
    return found


if __name__ == "__main__":
    given = Plan(**json.loads(sys.stdin.read()))
    gc.disable()
    print(json.dumps(asdict(uvloop.run(perform(given)))))

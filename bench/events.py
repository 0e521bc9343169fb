"""Publish -> delivery by server-sent events and WebSocket, against a plain consumer of the record.

An event is committed as the workers do it, and its record published; from then on the clock runs
until each of 1, 100 and 1,000 open streams of one gateway has it. Beside it, in the same run, a
plain consumer reads the same records. Memory is that of the gateway per open stream.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from pydantic import JsonValue

from bench.event_clients import Plan, as_line
from bench.percentiles import percentile, row
from bench.stack import Stack, stack
from schemas.envelope import Envelope
from schemas.events import EventType
from schemas.ids import REQUEST, Ids
from schemas.kafka import client_config, producer_config
from schemas.messages import CloudEvent
from schemas.topics import EVENTS
from streams import events
from streams.clients.postgres import Database
from streams.stage import Event, StepKey, Work


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench events", description=__doc__)
    parser.add_argument("--streams", default="1,100,1000", help="open streams (1,100,1000)")
    parser.add_argument("--events", type=int, default=100, help="events of each row (100)")
    parser.add_argument("--rate", type=float, default=5, help="events a second (5)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


class Raw:
    """A plain consumer: when each event's record came, by the event's number."""

    def __init__(self, made: Stack) -> None:
        self.arrivals: dict[int, float] = {}
        self._topic = made.settings.topic_prefix + EVENTS.name
        self._consumer = Consumer(
            {
                **client_config(made.settings),
                "group.id": uuid.uuid4().hex,
                "enable.auto.commit": False,
                "fetch.wait.max.ms": 250,
            }
        )
        partitions = self._consumer.list_topics(self._topic, 10).topics[self._topic].partitions
        self._consumer.assign([TopicPartition(self._topic, one, OFFSET_END) for one in partitions])
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        while not self._stop.is_set():
            message = self._consumer.poll(0.2)
            if message is not None and message.error() is None:
                at = time.monotonic()
                event = CloudEvent.model_validate_json(message.value() or b"")
                self.arrivals[event.sequence] = at
        self._consumer.close()

    def close(self) -> None:
        """Stop."""
        self._stop.set()
        self._thread.join()


@dataclass
class Teller:
    """Commits events and publishes their records, as a worker does at a step's end."""

    made: Stack
    database: Database
    producer: Producer
    published: dict[int, float] = field(default_factory=dict)

    async def tell(self) -> None:
        """Tell one event; the time of its record's publication is kept."""
        settings = self.made.settings
        ids = Ids(settings.id_secret.get_secret_value())
        request_id = ids.mint(REQUEST, settings.gpt_id)
        envelope = Envelope.model_validate(
            {"request-id": request_id, "gpt-id": settings.gpt_id, "schema": EVENTS.schema_name}
        )
        work = Work(StepKey(settings.gpt_id, request_id, "bench", 0), envelope, "bench", None)
        data: dict[str, JsonValue] = {
            "run_id": "run_0193401f3a2c8d5eaf60718293a4b5c6_w4yz6abm2cdq7fhj",
            "page_count": 1,
        }
        event = Event(EventType.DOCUMENT_PARSED, data, f"doc_{uuid.uuid4().hex}")
        async with self.database.transaction() as connection:
            [record] = await events.enter(connection, work, [event])
        topic = settings.topic_prefix + record.topic
        number = CloudEvent.model_validate_json(record.value).sequence
        self.published[number] = time.monotonic()
        self.producer.produce(topic, record.value, record.key, headers=list(record.headers))
        self.producer.poll(0)

    async def tell_all(self, count: int, rate: float) -> None:
        """Tell events at a fixed rate."""
        start = time.monotonic()
        for number in range(count):
            await asyncio.sleep(max(0.0, start + number / rate - time.monotonic()))
            await self.tell()
        await asyncio.to_thread(self.producer.flush, 30)


@dataclass(frozen=True)
class Figures:
    """What one row of the measurement found; latencies in milliseconds."""

    kind: str
    streams: int
    raw: list[float]
    delivered: list[float]
    last: list[float]
    """Until the last of all streams had the event."""
    kib_per_stream: float
    gateway_cpu_us: float
    """Of the gateway's CPU for each delivery."""
    missing: int


async def measure(
    teller: Teller, raw: Raw, kind: str, streams: int, options: argparse.Namespace
) -> Figures:
    """Returns: what so many streams of a kind were told, and when."""
    made = teller.made
    gateway = psutil.Process(made.processes["gateway"].pid)
    memory = gateway.memory_info().rss
    plan = Plan(
        kind=kind,  # type: ignore[arg-type]
        port=int(made.environment["ACTIONSTREAM_PORT"]),
        key=made.environment["ACTIONSTREAM_API_KEY"],
        streams=streams,
        events=options.events + 1,
        result=str(made.folder / f"{kind}-{streams}.json"),
    )
    clients = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bench.event_clients",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if clients.stdin is None or clients.stdout is None:
        raise RuntimeError("the clients have no pipes")
    clients.stdin.write(as_line(plan))
    if await clients.stdout.readline() != b"ready\n":
        raise RuntimeError("the clients did not come up")
    known = set(teller.published)
    await teller.tell()  # the first one makes connections and is not counted
    first = max(teller.published)
    await asyncio.sleep(1)
    cpu = sum(gateway.cpu_times()[:2])
    await teller.tell_all(options.events, options.rate)
    memory = gateway.memory_info().rss - memory
    if await clients.wait():
        raise RuntimeError("the clients failed")
    cpu = sum(gateway.cpu_times()[:2]) - cpu
    answer = json.loads(await asyncio.to_thread(Path(plan.result).read_text))
    numbers = sorted(set(teller.published) - known - {first})
    arrivals = {int(number): times for number, times in answer["arrivals"].items()}

    def since(number: int, at: float) -> float:
        return (at - teller.published[number]) * 1000

    delivered = [since(one, at) for one in numbers for at in arrivals.get(one, ())]
    return Figures(
        kind=kind,
        streams=streams,
        raw=[since(one, raw.arrivals[one]) for one in numbers if one in raw.arrivals],
        delivered=delivered,
        last=[since(one, max(arrivals[one])) for one in numbers if one in arrivals],
        kib_per_stream=memory / streams / 1024,
        gateway_cpu_us=cpu / max(1, len(delivered)) * 1e6,
        missing=streams * len(numbers) - len(delivered),
    )


async def run(made: Stack, options: argparse.Namespace) -> list[Figures]:
    """Returns: the figures of each number of streams and kind."""
    database = Database.connect(made.settings.database_url.get_secret_value(), pool=2)
    raw = Raw(made)
    teller = Teller(made, database, Producer(producer_config(made.settings)))
    await asyncio.sleep(2)
    found = []
    for streams in map(int, options.streams.split(",")):
        for kind in ("sse", "ws"):
            found.append(await measure(teller, raw, kind, streams, options))
            await asyncio.sleep(2)
    raw.close()
    await database.close()
    return found


def _shown(one: Figures) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "streams": one.streams,
        **{
            f"{name}_p{share}": round(percentile(values, share / 100), 1)
            for name, values in (("raw", one.raw), ("delivered", one.delivered), ("last", one.last))
            for share in (50, 99)
        },
        "kib_per_stream": round(one.kib_per_stream, 1),
        "gateway_cpu_us": round(one.gateway_cpu_us),
        "missing": one.missing,
    }


def main() -> int:
    """Run the benchmark and print it. Returns: 1 where an event did not arrive."""
    options = _arguments()
    limits = {"max_streams": "4000", "max_key_streams": "4000", "rate_limits": "none"}
    with stack(partitions="4", **limits) as made:
        made.gateway().close()
        found = asyncio.run(run(made, options))
    if options.json:
        print(json.dumps([_shown(one) for one in found]))
    else:
        for one in found:
            print(f"{one.streams} open {one.kind} streams; p50 / p95 / p99 / max ms")
            print(f"  plain consumer    {row(one.raw)}")
            print(f"  each stream       {row(one.delivered)}")
            print(f"  the last stream   {row(one.last)}")
            print(
                f"  {one.kib_per_stream:.1f} KiB a stream, {one.gateway_cpu_us:.0f} µs of the "
                f"gateway's CPU a delivery, {one.missing} missing"
            )
    return int(any(one.missing for one in found))

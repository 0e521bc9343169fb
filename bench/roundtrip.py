"""Request to result through gateway, Kafka, Faust, ledger and Postgres, against the broker alone.

`POST /v1/pings` one at a time and at 50 a second; beside it, on the same broker in the same run,
raw produce -> consume -> produce -> consume between two plain clients.
"""

import argparse
import asyncio
import json
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any

import httpx2
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from bench.percentiles import percentile, row
from bench.stack import Stack, stack
from schemas.kafka import client_config, producer_config


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench roundtrip", description=__doc__)
    parser.add_argument("--sequential", type=int, default=500, help="requests one by one (500)")
    parser.add_argument("--paced", type=int, default=1000, help="requests at the rate (1000)")
    parser.add_argument("--rate", type=float, default=50, help="requests a second (50)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


Call = Callable[[], Coroutine[Any, Any, None]]


async def sequential(call: Call, count: int) -> list[float]:
    """Returns: milliseconds of each call, one after the other."""
    taken = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    return taken


async def paced(call: Call, count: int, rate: float) -> list[float]:
    """Returns: milliseconds of each call from when it was due, at a fixed rate."""
    taken: list[float] = []
    start = time.perf_counter()

    async def one(due: float) -> None:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        await call()
        taken.append((time.perf_counter() - due) * 1000)

    await asyncio.gather(*(one(start + number / rate) for number in range(count)))
    return taken


class RawEcho:
    """Two plain clients: what one produces the other one consumes and produces back."""

    def __init__(self, made: Stack) -> None:
        settings = made.settings
        self._there = f"{settings.topic_prefix}raw-there"
        self._back = f"{settings.topic_prefix}raw-back"
        admin = AdminClient(client_config(settings))
        made_topics = admin.create_topics([NewTopic(self._there, 4), NewTopic(self._back, 4)])
        for future in made_topics.values():
            future.result()
        time.sleep(2)
        self._producer = Producer(producer_config(settings))
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._waiting: dict[bytes, asyncio.Future[None]] = {}
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(self._there, self._echo), daemon=True),
            threading.Thread(target=self._read, args=(self._back, self._arrive), daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        time.sleep(2)

    def _read(self, topic: str, take: Callable[[bytes, bytes], None]) -> None:
        consumer = Consumer(
            {
                **client_config(self._settings),
                "group.id": uuid.uuid4().hex,
                "enable.auto.commit": False,
            }
        )
        consumer.assign([TopicPartition(topic, each, OFFSET_END) for each in range(4)])
        while not self._stop.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                take(message.key(), message.value())
        consumer.close()

    def _echo(self, key: bytes, value: bytes) -> None:
        self._producer.produce(self._back, value, key)
        self._producer.poll(0)

    def _arrive(self, key: bytes, _: bytes) -> None:
        self._loop.call_soon_threadsafe(self._settle, key)

    def _settle(self, key: bytes) -> None:
        self._waiting.pop(key).set_result(None)

    async def call(self) -> None:
        """There and back once, with a value as large as a ping's."""
        key = uuid.uuid4().bytes
        future = self._waiting[key] = self._loop.create_future()
        self._producer.produce(self._there, b"x" * 300, key)
        self._producer.poll(0)
        await future

    def close(self) -> None:
        """Stop both readers."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


async def measure(made: Stack, base_url: str, options: argparse.Namespace) -> dict[str, Any]:
    """Returns: both paths' latencies, one at a time and at the rate."""
    key = made.environment["ACTIONSTREAM_API_KEY"]
    client = httpx2.AsyncClient(
        base_url=base_url,
        headers={"Authorization": f"Bearer {key}"},
        timeout=30,
        trust_env=False,
        limits=httpx2.Limits(max_connections=100, max_keepalive_connections=100),
    )

    async def ping() -> None:
        response = await client.post("/v1/pings", json={"note": "bench"})
        if response.json()["status"] != "completed":
            raise RuntimeError(response.text)

    raw = RawEcho(made)
    found: dict[str, Any] = {}
    for name, call in (("raw", raw.call), ("product", ping)):
        await sequential(call, 50)  # warm
        found[f"{name}_sequential"] = await sequential(call, options.sequential)
        await paced(call, 100, options.rate)
        found[f"{name}_paced"] = await paced(call, options.paced, options.rate)
    raw.close()
    await client.aclose()
    return found


def main() -> int:
    """Run the benchmark and print it."""
    options = _arguments()
    with stack(partitions="4") as made:
        made.worker("worker")
        client = made.gateway()
        found = asyncio.run(measure(made, str(client.base_url), options))
    if options.json:
        print(json.dumps(found))
        return 0
    for name, values in found.items():
        print(f"{name:<20} p50 / p95 / p99 / max ms  {row(values)}")
    for how in ("sequential", "paced"):
        raw, product = found[f"raw_{how}"], found[f"product_{how}"]
        over = percentile(product, 0.5) - percentile(raw, 0.5)
        bound = 3 * percentile(raw, 0.99) + 20
        print(
            f"{how}: p50 is raw + {over:.1f} ms (aim: + 12);"
            f" p99 is {percentile(product, 0.99):.1f} ms (aim: 3 x raw + 20 = {bound:.1f})"
        )
    return 0

"""What many small records leave in a worker's memory: resident bytes after 1,000 and 100,000.

Publishes pings straight to Kafka, in batches, and takes the worker process's own resident memory,
its children apart, when the results of each batch are there and the worker has been idle a while.
"""

import argparse
import json
import time
import uuid
from typing import Any

import psutil
from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition

from bench.stack import Stack, stack
from schemas.kafka import client_config, producer_config

_SILENT_SECONDS = 120.0
_IDLE_SECONDS = 1.0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench worker_memory", description=__doc__)
    parser.add_argument("--records", type=int, default=100_000, help="pings in all (100000)")
    parser.add_argument("--first", type=int, default=1_000, help="pings before the first look")
    parser.add_argument("--batch", type=int, default=2_500, help="pings at once (2500)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


class Pings:
    """Pings that are published, and the results that come back."""

    def __init__(self, made: Stack) -> None:
        settings = made.settings
        self._topic = f"{settings.topic_prefix}ping"
        self._gpt_id = settings.gpt_id
        self._producer = Producer(producer_config(settings))
        self._consumer = Consumer(
            {**client_config(settings), "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
        )
        results = f"{settings.topic_prefix}results"
        partitions = self._consumer.list_topics(results, timeout=10).topics[results].partitions
        self._consumer.assign([TopicPartition(results, each, OFFSET_END) for each in partitions])
        self._consumer.poll(1)

    def batch(self, count: int) -> None:
        """Publish so many and wait for all their results. Raises: TimeoutError: they stay away."""
        for _ in range(count):
            request_id = str(uuid.uuid4())
            self._producer.produce(
                self._topic,
                b'{"note": "bench"}',
                request_id,
                headers={"request-id": request_id, "gpt-id": self._gpt_id, "schema": "ping.v1"},
            )
        self._producer.flush()
        left = count
        while left:
            message = self._consumer.poll(_SILENT_SECONDS)
            if message is None:
                raise TimeoutError(f"{left} results stay away")
            left -= message.error() is None

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()


def look(process: psutil.Process, records: int) -> dict[str, float]:
    """Returns: the resident MiB of a process and of its children, once it has been idle a while."""
    time.sleep(_IDLE_SECONDS)
    children = sum(child.memory_info().rss for child in process.children(recursive=True))
    return {
        "records": records,
        "mib": round(process.memory_info().rss / 2**20, 2),
        "children_mib": round(children / 2**20, 2),
    }


def slope(looks: list[dict[str, float]]) -> float:
    """Returns: MiB per 10,000 records, by least squares over the second half of the looks."""
    half = looks[len(looks) // 2 :]
    mean_x = sum(each["records"] for each in half) / len(half)
    mean_y = sum(each["mib"] for each in half) / len(half)
    over = sum((each["records"] - mean_x) * (each["mib"] - mean_y) for each in half)
    under = sum((each["records"] - mean_x) ** 2 for each in half)
    return 10_000 * over / under if under else 0.0


def measure(made: Stack, options: argparse.Namespace) -> dict[str, Any]:
    """Returns: the looks at the worker's memory, and what follows from them."""
    made.worker("worker")
    process = psutil.Process(made.processes["worker"].pid)
    pings = Pings(made)
    looks = [look(process, 0)]
    sent, began = 0, time.monotonic()
    while sent < options.records:
        rest = (options.first if not sent else options.records) - sent
        count = min(options.batch, rest)
        pings.batch(count)
        sent += count
        if sent >= options.first:
            looks.append(look(process, sent))
    pings.close()
    return {
        "looks": looks,
        "seconds": round(time.monotonic() - began),
        "grown_mib": round(looks[-1]["mib"] - looks[1]["mib"], 2),
        "mib_per_10000": round(slope(looks), 3),
    }


def main() -> int:
    """Run the benchmark and print it."""
    options = _arguments()
    with stack(partitions="16") as made:
        found = measure(made, options)
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for each in found["looks"]:
        print(
            f"{each['records']:>8} records  {each['mib']:7.1f} MiB"
            f"  (its parser {each['children_mib']:.1f})"
        )
    print(
        f"{found['grown_mib']:+.1f} MiB since the first {options.first:,} records;"
        f" {found['mib_per_10000']:+.2f} MiB per 10,000 in the second half;"
        f" {found['seconds']} s in all"
    )
    return 0

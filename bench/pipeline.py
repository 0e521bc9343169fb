"""Documents a minute as a share of the limit that a model of fixed speed sets.

Publishes small documents to Kafka, with 1, 2 and 4 workers, against a model server that answers
after a fixed time with a fixed number of slots. Two of a document's steps ask it once each, so the
limit is slots / (2 x seconds). Steady state is from the 10th to the 90th percent of the steps that
ask the model: half of what ends there is documents. The whole run counts start and end as well.
"""

import argparse
import asyncio
import base64
import json
import sys
import time
import uuid
from typing import Any

from confluent_kafka import OFFSET_END, Consumer, Producer, TopicPartition
from sqlalchemy import text

from bench.percentiles import row
from bench.stack import Stack, free_port, stack
from schemas.kafka import client_config, producer_config
from streams.clients.postgres import Database

_CALLS = 2


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench pipeline", description=__doc__)
    parser.add_argument("--documents", type=int, default=500, help="documents a run (500)")
    parser.add_argument("--latency-ms", type=int, default=400, help="the model's time (400)")
    parser.add_argument("--slots", type=int, default=4, help="the model's slots (4)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4], help="(1 2 4)")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def publish(made: Stack, count: int) -> list[float]:
    """Publish documents and wait for all results. Returns: when each came, in seconds."""
    settings = made.settings
    results = f"{settings.topic_prefix}results"
    consumer = Consumer(
        {**client_config(settings), "group.id": uuid.uuid4().hex, "enable.auto.commit": False}
    )
    partitions = consumer.list_topics(results, timeout=10).topics[results].partitions
    consumer.assign([TopicPartition(results, each, OFFSET_END) for each in partitions])
    consumer.poll(1)
    producer = Producer(producer_config(settings))
    started = time.monotonic()
    for number in range(count):
        request_id = str(uuid.uuid4())
        words = f"Note {number} of {count}, marked {request_id}. A few words to be read."
        content = base64.b64encode(words.encode()).decode()
        value = {"source": {"kind": "inline", "content_base64": content}, "filename": "note.txt"}
        producer.produce(
            f"{settings.topic_prefix}process-document",
            json.dumps(value).encode(),
            request_id,
            headers={
                "request-id": request_id,
                "gpt-id": settings.gpt_id,
                "schema": "process-document.v1",
            },
        )
    producer.flush()
    came: dict[str, float] = {}
    while len(came) < count:
        message = consumer.poll(120)
        if message is None:
            raise TimeoutError(f"{len(came)} of {count} results after two silent minutes")
        if message.error() is None:
            if json.loads(message.value())["status"] != "completed":
                raise RuntimeError(message.value().decode())
            # A result may come twice when a worker died; the first one counts.
            request_id = json.loads(message.value())["request_id"]
            came.setdefault(request_id, time.monotonic() - started)
    consumer.close()
    return sorted(came.values())


Times = dict[str, list[tuple[float, float]]]


async def stage_times(made: Stack, since: float) -> Times:
    """Returns: when each step since this Unix time ended, and its milliseconds, by stage."""
    database = Database.connect(made.settings.database_url.get_secret_value(), pool=1)
    query = text(
        "SELECT stage, extract(epoch FROM finished_at) AS ended,"
        " extract(epoch FROM finished_at - started_at) * 1000 AS ms FROM steps"
        " WHERE finished_at IS NOT NULL AND started_at >= to_timestamp(:since)"
    )
    async with database.transaction() as connection:
        rows = (await connection.execute(query, {"since": since})).all()
    await database.close()
    found: Times = {}
    for stage, ended, milliseconds in rows:
        found.setdefault(stage, []).append((float(ended), float(milliseconds)))
    return found


def steady_rate(times: Times) -> float:
    """Returns: documents a minute, by the middle four fifths of the steps that ask the model."""
    ended = sorted(when for stage in ("classify", "extract") for when, _ in times[stage])
    first, last = int(0.1 * len(ended)), int(0.9 * len(ended)) - 1
    return (last - first) / (ended[last] - ended[first]) * 60 / _CALLS


def measure(made: Stack, workers: int, options: argparse.Namespace) -> dict[str, Any]:
    """Returns: what one run with so many workers gave."""
    names = [f"worker-{number}" for number in range(workers)]
    for name in names:
        made.worker(name)
    time.sleep(5 if workers > 1 else 1)  # the group settles; its last rebalance is not measured
    publish(made, 20)  # warm
    made.peaks.clear()
    began = time.time()
    came = publish(made, options.documents)
    limit = options.slots / (_CALLS * options.latency_ms / 1000) * 60
    stages = asyncio.run(stage_times(made, began))
    rate = steady_rate(stages)
    peaks = {name: made.peaks.get(name, 0) for name in names}
    made.end(*names)
    return {
        "workers": workers,
        "documents_per_minute": round(rate, 1),
        "limit": limit,
        "share": round(rate / limit, 3),
        "whole_run_share": round(len(came) / came[-1] * 60 / limit, 3),
        "stage_ms": {
            name: row([milliseconds for _, milliseconds in times])
            for name, times in sorted(stages.items())
        },
        "peak_mib": {name: round(peak / 2**20) for name, peak in peaks.items()},
    }


def main() -> int:
    """Run the benchmark and print it."""
    options = _arguments()
    port = free_port()
    with stack(
        ollama_url=f"http://127.0.0.1:{port}",
        chat_model="fixed-chat",
        embedding_model="fixed-embed",
        partitions="8",
        model_slots="8",
    ) as made:
        made.start(
            "model",
            sys.executable,
            "-m",
            "bench.fixed_model",
            str(port),
            str(options.latency_ms),
            str(options.slots),
        )
        found = [measure(made, workers, options) for workers in options.workers]
    if options.json:
        print(json.dumps(found, indent=2))
        return 0
    for each in found:
        print(
            f"{each['workers']} workers: {each['documents_per_minute']} documents/min of"
            f" {each['limit']:.0f} = {each['share']:.1%} (whole run {each['whole_run_share']:.1%});"
            f" peak MiB {each['peak_mib']}"
        )
        for name, values in each["stage_ms"].items():
            print(f"    {name:<10} p50 / p95 / p99 / max ms  {values}")
    return 0

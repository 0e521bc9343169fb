"""A batch of many tiny documents: its speed, its lag by stage, its counts, and who waits for it.

Puts a ZIP of notes into the object store, makes a batch of it, and kills a worker twice on the way,
against a model server of fixed speed. All the while single documents are uploaded over HTTP, as
before the batch began, and the batch's counts are compared with its entries and with the documents.
"""

import argparse
import asyncio
import io
import json
import statistics
import sys
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from confluent_kafka import Producer
from httpx2 import Client
from sqlalchemy import text

from bench import lags
from bench.percentiles import row
from bench.stack import Stack, free_port, stack
from schemas.batches import Add, Archive, ChangeBatch, Close, Many, Open
from schemas.envelope import Envelope
from schemas.ids import BATCH, REQUEST, Ids
from schemas.kafka import producer_config
from schemas.states import FINAL, Status
from schemas.topics import CHANGE_BATCH
from streams.clients import s3
from streams.clients.postgres import Database

_PLOT = Path("docs/benchmarks/batch-lag.png")
_STATES = """
SELECT b.state, b.unsettled, b.last_ordinal AS total,
  (SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM
     (SELECT state, sum(count) AS n FROM batch_tallies t WHERE t.batch_id = b.batch_id
      GROUP BY state HAVING sum(count) > 0) AS s) AS tallies,
  (SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM
     (SELECT state, count(*) AS n FROM batch_entries e WHERE e.batch_id = b.batch_id
      GROUP BY state) AS s) AS entries,
  (SELECT coalesce(jsonb_object_agg(status, n), '{}') FROM
     (SELECT status, count(*) AS n FROM documents d WHERE d.batch_id = b.batch_id
      GROUP BY status) AS s) AS documents,
  (SELECT count(*) FROM events v WHERE v.batch_id = b.batch_id AND v.type = 'batch.completed')
     AS told
FROM batches b WHERE b.batch_id = :batch_id
"""
Counts = dict[str, Any]
Kill = Callable[[], None]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench batch", description=__doc__)
    parser.add_argument("--documents", type=int, default=2000, help="of the batch (2000)")
    parser.add_argument("--latency-ms", type=int, default=50, help="the model's time (50)")
    parser.add_argument("--slots", type=int, default=8, help="the model's slots (8)")
    parser.add_argument("--workers", type=int, default=2, help="(2)")
    parser.add_argument("--alone", type=int, default=40, help="uploads before the batch (40)")
    parser.add_argument("--pause-s", type=float, default=1.0, help="between two uploads (1)")
    parser.add_argument("--plot", type=Path, default=_PLOT, help=f"({_PLOT})")
    return parser.parse_args()


def notes(count: int) -> bytes:
    """Returns: a ZIP of so many notes, each of other words."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(count):
            words = f"Note {number} of {count}. A few words to be read, and no more than that."
            archive.writestr(f"notes/{number:06}.txt", words)
    return file.getvalue()


async def _begin(made: Stack, count: int) -> str:
    """Put the archive, and publish the order of a batch of it. Returns: the batch's id."""
    settings = made.settings
    ids = Ids(settings.id_secret.get_secret_value())
    batch_id, request_id = ids.mint(BATCH, settings.gpt_id), ids.mint(REQUEST, settings.gpt_id)
    key = f"{settings.gpt_id}/inbox/{batch_id}.zip"
    async with s3.connect(settings) as store:
        await store.put(key, notes(count), content_type="application/zip")
    steps = (Open(name="notes"), Add(many=(Many(source=Archive(key=key)),)), Close())
    message = ChangeBatch(batch_id=batch_id, steps=steps)
    envelope = Envelope(
        request_id=request_id, gpt_id=settings.gpt_id, schema_name=CHANGE_BATCH.schema_name
    )
    producer = Producer(producer_config(settings))
    producer.produce(
        settings.topic_prefix + CHANGE_BATCH.name,
        message.model_dump_json().encode(),
        batch_id,
        headers=list(envelope.to_headers()),
    )
    producer.flush()
    return batch_id


class Uploads:
    """Uploads of single documents, one after the other, each waited for."""

    def __init__(self, client: Client, pause_s: float) -> None:
        self._client = client
        self._pause_s = pause_s
        self.ms: list[float] = []

    def one(self, number: int) -> None:
        """Upload a document and wait until a search would find it."""
        words = f"A single document, {number} at {time.time()}, sent by a person who waits for it."
        began = time.monotonic()
        answer = self._client.post(
            "/v1/documents", params={"wait_s": 40}, files={"file": ("single.txt", words.encode())}
        )
        # Longer than one call may wait where the worker that had it was killed.
        while (state := answer.raise_for_status().json())["status"] not in FINAL:
            answer = self._client.get(state["status_url"], params={"wait_s": 40})
        if state["status"] != Status.COMPLETED:
            raise RuntimeError(answer.text[:500])
        self.ms.append((time.monotonic() - began) * 1000)

    def until(self, stop: threading.Event) -> None:
        """Upload until told to stop."""
        number = 0
        while not stop.wait(self._pause_s):
            self.one(number)
            number += 1


@contextmanager
def beside(work: Callable[[threading.Event], None]) -> Iterator[None]:
    """Have work done in a thread while in this context; what it raises is raised in the end."""
    stop, failed = threading.Event(), list[BaseException]()

    def run() -> None:
        try:
            work(stop)
        except BaseException as error:  # noqa: BLE001 - raised where it is seen
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
    if failed:
        raise failed[0]


async def follow(made: Stack, batch_id: str, kills: Sequence[Kill]) -> list[Counts]:
    """Look at the batch until it is complete, killing when it is a part further each time.

    Returns: each look, with `at`, the seconds since the first.
    """
    database = Database.connect(made.settings.database_url.get_secret_value(), pool=1)
    looks, began, left = list[Counts](), time.monotonic(), list(kills)
    try:
        while not looks or looks[-1]["state"] != "completed":
            async with database.transaction() as connection:
                found = (
                    await connection.execute(text(_STATES), {"batch_id": batch_id})
                ).one_or_none()
            if found is not None:
                looks.append({**found._mapping, "at": time.monotonic() - began})  # noqa: SLF001
                done = found.tallies.get("completed", 0)
                part = len(kills) + 1 - len(left)
                if left and found.total and done > found.total * part / (len(kills) + 1):
                    await asyncio.to_thread(left.pop(0))
            await asyncio.sleep(1)
    finally:
        await database.close()
    return looks


def inexact(looks: list[Counts]) -> list[Counts]:
    """Returns: the looks in which the batch's counts were not what its entries say."""
    return [
        look
        for look in looks
        if look["tallies"] != look["entries"]
        or look["unsettled"]
        != sum(look["entries"].get(state, 0) for state in ("queued", "processing"))
    ]


def rate(looks: list[Counts]) -> float:
    """Returns: documents a minute, between a tenth and nine tenths of the batch."""
    total = looks[-1]["total"]
    inside: list[tuple[float, int]] = [
        (look["at"], look["tallies"].get("completed", 0))
        for look in looks
        if 0.1 * total <= look["tallies"].get("completed", 0) <= 0.9 * total
    ]
    (first, some), (last, most) = inside[0], inside[-1]
    return (most - some) / (last - first) * 60


@contextmanager
def _running(options: argparse.Namespace) -> Iterator[Stack]:
    """Yield a stack with its workers, before a model server of fixed speed."""
    port = free_port()
    with stack(
        ollama_url=f"http://127.0.0.1:{port}",
        chat_model="fixed-chat",
        embedding_model="fixed-embed",
        partitions="4",
        model_slots=str(options.slots),
    ) as made:
        model = (sys.executable, "-m", "bench.fixed_model", str(port))
        made.start("model", *model, str(options.latency_ms), str(options.slots))
        for number in range(options.workers):
            made.worker(f"worker-{number}")
        yield made


def main() -> int:
    """Run the benchmark and print it; 1 if a count was wrong at any look."""
    options = _arguments()
    with _running(options) as made:

        def kill(number: int) -> None:
            """Kill a worker as the system would, and start it again."""
            name = f"worker-{number % options.workers}"
            made.processes[name].kill()
            made.processes[name].wait()
            made.worker(name)

        client = made.gateway()
        alone, meanwhile = Uploads(client, options.pause_s), Uploads(client, options.pause_s)
        for number in range(5):
            Uploads(client, 0).one(number)  # warm
        for number in range(options.alone):
            alone.one(number)
        began = time.monotonic()
        with lags.watching(made.settings) as seen, beside(meanwhile.until):
            batch_id = asyncio.run(_begin(made, options.documents))
            kills = [partial(kill, number) for number in range(2)]
            looks = asyncio.run(follow(made, batch_id, kills))
        seconds = time.monotonic() - began
    lags.draw(options.plot, seen)
    last, wrong = looks[-1], inexact(looks)
    print(
        f"{options.documents} documents in {seconds:.0f} s with 2 kills: {rate(looks):.0f} a minute"
    )
    print(
        f"    in the end  {json.dumps(last['tallies'])}, documents {json.dumps(last['documents'])}"
    )
    print(
        f"    counts wrong in {len(wrong)} of {len(looks)} looks; batch.completed: {last['told']}"
    )
    print(f"    one document alone      p50 / p95 / p99 / max ms  {row(alone.ms)}")
    print(f"    beside the batch        p50 / p95 / p99 / max ms  {row(meanwhile.ms)}")
    ratio = statistics.median(meanwhile.ms) / statistics.median(alone.ms)
    print(
        f"    its median beside the batch is {ratio:.2f} x that alone; {len(meanwhile.ms)} of them"
    )
    print(f"    largest lag by stage  {json.dumps(seen.largest())}; drawn in {options.plot}")
    return int(bool(wrong) or last["told"] != 1 or last["tallies"] != {"completed": last["total"]})

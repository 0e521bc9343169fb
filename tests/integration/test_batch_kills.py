"""Batches in real workers over Kafka: a worker is killed, and one of them cancelled meanwhile."""

import asyncio
import io
import sys
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from bench.stack import Stack, free_port, stack
from schemas.batches import Add, Archive, Cancel, ChangeBatch, Close, Many, Open
from schemas.envelope import Envelope
from schemas.ids import BATCH, REQUEST, Ids
from schemas.topics import CHANGE_BATCH
from streams.clients import s3
from streams.clients.postgres import Database
from streams.clients.producer import CommandPublisher
from streams.stage import Record

FILES = 24
WRONG = """
    SELECT e.batch_id, e.state, d.status FROM batch_entries e
    LEFT JOIN documents d USING (document_id)
    WHERE e.state IS DISTINCT FROM d.status OR e.settled_at IS NULL
"""
COUNTED = """
    SELECT t.batch_id, t.state, t.count - (SELECT count(*) FROM batch_entries e
        WHERE e.batch_id = t.batch_id AND e.state = t.state AND e.label = t.label)
    FROM batch_tallies t
"""


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """Two workers against a model server that takes 200 ms an answer."""
    port = free_port()
    with stack(
        ollama_url=f"http://127.0.0.1:{port}",
        chat_model="fixed-chat",
        embedding_model="fixed-embed",
        partitions="2",
    ) as made:
        made.start("model", sys.executable, "-m", "bench.fixed_model", str(port), "200", "4")
        made.worker("worker-1")
        made.worker("worker-2")
        yield made


def rows(made: Stack, query: str, **values: str) -> list[tuple[Any, ...]]:
    """What Postgres says."""

    async def ask() -> list[tuple[Any, ...]]:
        database = Database.connect(made.settings.database_url.get_secret_value(), pool=1)
        async with database.transaction() as connection:
            found = (await connection.execute(text(query), values)).all()
        await database.close()
        return [tuple(row) for row in found]

    return asyncio.run(ask())


def change(made: Stack, batch_id: str, *steps: Any) -> None:
    """Publish a record as the gateway does."""
    settings, gpt_id = made.settings, made.settings.gpt_id
    ids = Ids(settings.id_secret.get_secret_value())
    envelope = Envelope(
        request_id=ids.mint(REQUEST, gpt_id), gpt_id=gpt_id, schema_name=CHANGE_BATCH.schema_name
    )
    value = ChangeBatch(batch_id=batch_id, steps=steps).model_dump_json().encode()
    record = Record(CHANGE_BATCH.name, batch_id.encode(), value, envelope.to_headers())

    asyncio.run(CommandPublisher(settings).publish((record,)))


def filled(made: Stack) -> str:
    """Make a batch of an archive, and close it. Returns: its id."""
    settings = made.settings
    batch_id = Ids(settings.id_secret.get_secret_value()).mint(BATCH, settings.gpt_id)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for number in range(FILES):
            archive.writestr(f"{number}.txt", f"Note {number} of {batch_id}.")
    key = f"{settings.gpt_id}/inbox/{batch_id}.zip"

    async def store() -> None:
        async with s3.connect(settings) as opened:
            await opened.put(key, target.getvalue(), content_type="application/zip")

    asyncio.run(store())
    change(made, batch_id, Open(), Add(many=(Many(source=Archive(key=key)),)), Close())
    return batch_id


def until(made: Stack, query: str, **values: str) -> None:
    """Wait until a query finds something."""
    while not rows(made, query, **values):
        time.sleep(0.1)


def test_a_worker_is_killed_and_a_batch_cancelled(running: Stack) -> None:
    """One batch is completed and told once, of the other all is settled; the counts are exact."""
    # Of one tenant's batches the older one goes first.
    ended, whole = filled(running), filled(running)
    begun = "SELECT 1 FROM batch_entries WHERE batch_id = :batch AND state = 'completed' LIMIT 1"
    until(running, begun, batch=ended)
    change(running, ended, Cancel())
    killed = running.processes.pop("worker-1")
    killed.kill()
    killed.wait()

    told = "SELECT 1 FROM events WHERE object_id = :batch AND type = :type"
    until(running, told, batch=whole, type="batch.completed")
    until(running, told, batch=ended, type="batch.cancelled")

    assert rows(running, WRONG) == []
    assert {difference for *_, difference in rows(running, COUNTED)} == {0}
    [(completed,)] = rows(
        running,
        "SELECT count(*) FROM batch_entries WHERE batch_id = :batch AND state = 'completed'",
        batch=whole,
    )
    assert completed == FILES
    [(settled, cancelled)] = rows(
        running,
        "SELECT count(*), count(*) FILTER (WHERE state = 'cancelled') FROM batch_entries"
        " WHERE batch_id = :batch",
        batch=ended,
    )
    assert settled == FILES
    assert cancelled > 0
    assert len(rows(running, told, batch=whole, type="batch.completed")) == 1
    assert rows(running, "SELECT 1 FROM dead_letters") == []

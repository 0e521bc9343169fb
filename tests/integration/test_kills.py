"""A worker that is killed in the middle loses nothing and doubles nothing."""

import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from sqlalchemy import text

from bench.pipeline import publish
from bench.stack import Stack, free_port, stack
from streams.clients.postgres import Database

DOCUMENTS = 16


@pytest.fixture(scope="module")
def running() -> Iterator[Stack]:
    """Two workers against a model server that takes 300 ms an answer."""
    port = free_port()
    with stack(
        ollama_url=f"http://127.0.0.1:{port}",
        chat_model="fixed-chat",
        embedding_model="fixed-embed",
        partitions="4",
    ) as made:
        made.start("model", sys.executable, "-m", "bench.fixed_model", str(port), "300", "4")
        made.worker("worker-1")
        made.worker("worker-2")
        yield made


def rows(made: Stack, query: str) -> list[tuple[object, ...]]:
    """What Postgres says."""

    async def ask() -> list[tuple[object, ...]]:
        database = Database.connect(made.settings.database_url.get_secret_value(), pool=1)
        async with database.transaction() as connection:
            found = (await connection.execute(text(query))).all()
        await database.close()
        return [tuple(row) for row in found]

    return asyncio.run(ask())


def test_a_killed_workers_documents_are_finished(running: Stack) -> None:
    """SIGKILL in the middle of a load: each document ends completed, once, with each step once."""

    def kill() -> None:
        while len(rows(running, "SELECT 1 FROM steps WHERE stage = 'classify'")) < DOCUMENTS // 4:
            time.sleep(0.1)
        killed = running.processes.pop("worker-1")
        killed.kill()
        killed.wait()

    killer = threading.Thread(target=kill)
    killer.start()
    came = publish(running, DOCUMENTS)
    killer.join()

    assert len(came) >= DOCUMENTS
    documents = rows(running, "SELECT status, indexed_version = version FROM documents")
    assert Counter(documents) == {("completed", True): DOCUMENTS}
    assert rows(running, "SELECT 1 FROM steps WHERE state <> 'done'") == []
    assert rows(running, "SELECT 1 FROM dead_letters") == []
    chunks = rows(running, "SELECT count(*), count(DISTINCT document_id) FROM chunks")
    assert chunks == [(DOCUMENTS, DOCUMENTS)]


def test_a_stopped_worker_gives_way_at_once(running: Stack) -> None:
    """SIGTERM in the middle hands the work over: no step counts a crash, nothing is lost."""
    before = rows(running, "SELECT coalesce(sum(crashes), 0) FROM steps")
    running.worker("worker-3")

    def stop() -> None:
        wanted = DOCUMENTS + DOCUMENTS // 4
        while len(rows(running, "SELECT 1 FROM steps WHERE stage = 'classify'")) < wanted:
            time.sleep(0.1)
        running.end("worker-2")

    stopper = threading.Thread(target=stop)
    stopper.start()
    publish(running, DOCUMENTS)
    stopper.join()

    assert rows(running, "SELECT coalesce(sum(crashes), 0) FROM steps") == before
    statuses = rows(running, "SELECT status FROM documents")
    assert Counter(statuses) == {("completed",): 2 * DOCUMENTS}

"""A worker that is killed while it delivers loses no delivery, and repeats only a few."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from bench.hooks import LOOPBACK, Receiver, Source, await_true, receiving
from bench.stack import Stack, stack
from streams.clients.postgres import Database
from streams.webhooks.claims import PAGE

EVENTS = 200
PATIENCE_SECONDS = 120


@pytest.fixture
def running() -> Iterator[Stack]:
    """Two workers of webhooks, whose leases lapse after 21 s."""
    with stack(webhook_allowed_networks=LOOPBACK, webhook_timeout="PT1S", partitions="2") as made:
        made.worker("worker-1", "--stages", "webhooks")
        made.worker("worker-2", "--stages", "webhooks")
        yield made


def rows(made: Stack, query: str) -> list[Any]:
    """What Postgres says."""

    async def ask() -> list[Any]:
        database = Database.connect(made.settings.database_url.get_secret_value(), pool=1)
        async with database.transaction() as connection:
            found = (await connection.execute(text(query))).all()
        await database.close()
        return [tuple(row) for row in found]

    return asyncio.run(ask())


def owner(made: Stack) -> str | None:
    """The process that delivers now."""
    [(name,)] = rows(made, "SELECT owner FROM webhooks")
    pid = None if name is None else int(name.partition("/")[0].rpartition(":")[2])
    return next((each for each, process in made.processes.items() if process.pid == pid), None)


def start(made: Stack, receiver: Receiver) -> None:
    """Make an endpoint, and have events happen."""

    async def begin() -> None:
        source = Source(made.settings)
        await source.endpoint("demo", receiver.url("hook"))
        await source.happen(["demo"], EVENTS)
        await source.database.close()

    asyncio.run(begin())


def test_a_killed_workers_deliveries_are_made(running: Stack) -> None:
    """SIGKILL between the sending and its commit: all arrive, in order but for what comes again."""
    with receiving() as receiver:
        receiver.pause_s = 0.02
        start(running, receiver)
        assert await_true(lambda: len(receiver.arrived) > EVENTS // 4, PATIENCE_SECONDS)
        assert await_true(lambda: owner(running) is not None, PATIENCE_SECONDS)
        victim = owner(running) or "worker-1"
        running.processes[victim].kill()
        running.processes.pop(victim).wait()

        def delivered() -> bool:
            states = dict(
                rows(running, "SELECT state, count(*) FROM webhook_deliveries GROUP BY 1")
            )
            return states == {"delivered": EVENTS}

        assert await_true(delivered, PATIENCE_SECONDS)
        arrived = list(receiver.arrived)

    times = Counter(each.delivery_id for each in arrived)
    assert len(times) == EVENTS
    assert sum(count - 1 for count in times.values()) <= PAGE
    assert max(times.values()) <= 2
    firsts = [*{each.delivery_id: each.sequence for each in arrived}.values()]
    assert firsts == sorted(firsts)

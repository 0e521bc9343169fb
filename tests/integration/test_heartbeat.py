"""The worker's row on a real Postgres: kept while it lives, deleted when it ends in order."""

import asyncio
import uuid
from collections.abc import Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from structlog.testing import capture_logs

from schemas.tables import WORKERS
from streams.clients.postgres import Database
from streams.errors import DependencyDown
from streams.heartbeat import Heartbeat

SOON = timedelta(milliseconds=20)


@pytest.fixture
def owner() -> str:
    return f"host:{uuid.uuid4().hex}"


@pytest.fixture
def row(database: Database, owner: str) -> Callable[..., Any]:
    """Reads the worker's row, as soon as it is as wanted."""

    async def read(wanted: Callable[[Any], bool] = lambda _: True) -> Any:
        async with asyncio.timeout(10):
            while True:
                async with database.transaction() as connection:
                    found = await connection.execute(
                        select(WORKERS).where(WORKERS.c.owner == owner)
                    )
                    one = found.one_or_none()
                if wanted(one):
                    return one
                await asyncio.sleep(0.02)

    return read


async def test_the_row_follows_the_worker(
    database: Database, owner: str, row: Callable[..., Any]
) -> None:
    """It is there at once, says what the worker says, and is gone after an orderly end."""
    state: dict[str, Any] = {"waiting_for": {"models": "the model x is missing"}}
    heartbeat = Heartbeat(database, owner=owner, stages="all", state=lambda: state, every=SOON)

    async with heartbeat.beating():
        first = await row(lambda found: found is not None)
        assert (first.stages, first.state) == ("all", state)
        state = {"waiting_for": {}}
        later = await row(lambda found: found.state == state)
        assert later.seen_at > first.seen_at
        assert later.started_at == first.started_at

    assert await row() is None


async def test_who_was_not_seen_for_an_hour_is_forgotten(
    database: Database, owner: str, row: Callable[..., Any]
) -> None:
    """A worker that was killed leaves a row, which any other one deletes in the end."""
    for name, minutes in ((owner, 61), (f"{owner}-younger", 59)):
        async with database.transaction() as connection:
            await connection.execute(
                insert(WORKERS).values(
                    owner=name,
                    stages="all",
                    state={},
                    seen_at=func.now() - timedelta(minutes=minutes),
                )
            )

    await Heartbeat(database, owner=f"{owner}-other", stages="all", state=dict).beat()

    assert await row() is None
    async with database.transaction() as connection:
        names = select(WORKERS.c.owner).where(WORKERS.c.owner.startswith(owner))
        left = set((await connection.execute(names)).scalars())
    assert left == {f"{owner}-younger", f"{owner}-other"}


async def test_a_worker_lives_without_postgres(
    database: Database, owner: str, row: Callable[..., Any]
) -> None:
    """It says once that its sign of life is not written, and writes it when it can."""

    class Flaky:
        """Is away so many times."""

        failures = 5

        @asynccontextmanager
        async def transaction(self) -> Any:
            if self.failures:
                self.failures -= 1
                raise DependencyDown("postgres", "away")
            async with database.transaction() as connection:
                yield connection

    heartbeat = Heartbeat(
        Flaky(),  # type: ignore[arg-type]  # as much of a database as a heartbeat needs
        owner=owner,
        stages="all",
        state=dict,
        every=SOON,
    )
    with capture_logs() as logs:
        async with heartbeat.beating():
            await row(lambda found: found is not None)

    assert [line["event"] for line in logs] == ["heartbeat not written"]

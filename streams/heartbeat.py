"""The worker's sign of life: its row in `workers`, renewed every few seconds.

The gateway reads there what a worker waits for, which model is down and which stages have stopped.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from pydantic import JsonValue
from sqlalchemy import delete, func
from sqlalchemy.dialects.postgresql import insert

from schemas.tables import WORKERS
from streams.clients.postgres import Database

log = structlog.get_logger()

EVERY: Final = timedelta(seconds=3)
FORGOTTEN_AFTER: Final = timedelta(hours=1)
_LONGEST_SECONDS: Final = 5.0


class Heartbeat:
    """One worker's row."""

    def __init__(
        self,
        database: Database,
        *,
        owner: str,
        stages: str,
        state: Callable[[], dict[str, JsonValue]],
        every: timedelta = EVERY,
    ) -> None:
        """Prepare the row of `owner`, who works on the set `stages`; `state` is asked each time."""
        self._database = database
        self._owner = owner
        self._stages = stages
        self._state = state
        self._every = every.total_seconds()
        self._started_at = datetime.now(UTC)

    @asynccontextmanager
    async def beating(self) -> AsyncIterator[None]:
        """Keep the row while in this context, whether or not Postgres is there; then delete it."""
        task = asyncio.create_task(self._go_on())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            # A row that stays is forgotten by the others.
            with suppress(Exception):
                await self._leave()

    async def beat(self) -> None:
        """Renew the row, and forget workers that have not been seen for an hour.

        Raises: DependencyDown: Postgres is away.
        """
        row = {
            "owner": self._owner,
            "stages": self._stages,
            "state": self._state(),
            "started_at": self._started_at,
        }
        renewed = (
            insert(WORKERS)
            .values(row)
            .on_conflict_do_update(
                index_elements=[WORKERS.c.owner], set_={**row, "seen_at": func.now()}
            )
        )
        forgotten = delete(WORKERS).where(WORKERS.c.seen_at < func.now() - FORGOTTEN_AFTER)
        async with self._database.transaction() as connection:
            await connection.execute(renewed)
            await connection.execute(forgotten)

    async def _go_on(self) -> None:
        failing = False
        while True:
            try:
                async with asyncio.timeout(_LONGEST_SECONDS):
                    await self.beat()
            except Exception as error:  # noqa: BLE001 - a worker works on without its sign of life
                if not failing:
                    reason, *_ = str(error).splitlines() or ["no answer in time"]
                    log.warning("heartbeat not written", reason=reason)
                failing = True
            else:
                failing = False
            await asyncio.sleep(self._every)

    async def _leave(self) -> None:
        async with asyncio.timeout(_LONGEST_SECONDS), self._database.transaction() as connection:
            await connection.execute(delete(WORKERS).where(WORKERS.c.owner == self._owner))

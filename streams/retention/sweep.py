"""The sweep: of all workers' sweeps one has its turn at a time, and it takes half of its time off.

Reads and removes requests, steps, models' answers, dead letters, deliveries of webhooks and events.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

import structlog

from streams import metrics, turns
from streams.clients.postgres import Database
from streams.retention.answers import Answers
from streams.retention.deliveries import Deliveries
from streams.retention.events import Events
from streams.retention.letters import Letters
from streams.retention.requests import Requests
from streams.retention.steps import Steps
from streams.retention.walk import Page, Place, Walk

log = structlog.get_logger()

EVERY: Final = timedelta(minutes=1)
_NAME: Final = "retention"
_IDLE_PAGES: Final = 20
_PAGES: Final = 500


class Sweep:
    """The task of one worker.

    A turn goes on with each table where the last one stopped. `keep_requests` is for all but
    events and their deliveries.
    """

    def __init__(
        self, database: Database, *, keep_requests: timedelta, keep_events: timedelta
    ) -> None:
        self._database = database
        # Steps before letters: a dead step without its letter would be taken for a loss.
        self._walks: Sequence[tuple[Walk, timedelta]] = (
            (Requests(), keep_requests),
            (Steps(), keep_requests),
            (Answers(), keep_requests),
            (Letters(), keep_requests),
            (Deliveries(), keep_events),
            (Events(), keep_events),
        )
        self._places: dict[str, Place | None] = {}

    def running(self, every: timedelta = EVERY) -> AbstractAsyncContextManager[None]:
        """Take a turn every minute while in this context."""
        return turns.taking(self.turn, name=_NAME, every=every)

    async def turn(self) -> None:
        """Remove what is over, as much as a turn allows.

        Raises: DependencyDown: Postgres is away.
        """
        async with self._database.alone(_NAME) as hold:
            if hold is None:
                return
            for walk, keep in self._walks:
                await self._go_on(walk, keep)

    async def _go_on(self, walk: Walk, keep: timedelta) -> None:
        idle = removed = 0
        for _ in range(_PAGES):
            started = time.monotonic()
            page = await self._page(walk, keep)
            removed += page.removed
            # What is there to stay is passed slowly, what is over goes as fast as it came.
            idle += not page.removed
            if page.after is None or idle == _IDLE_PAGES:
                break
            await asyncio.sleep(time.monotonic() - started)
        if removed:
            log.info("removed what was over", table=walk.name, rows=removed)

    async def _page(self, walk: Walk, keep: timedelta) -> Page:
        async with self._database.transaction() as connection:
            page = await walk.page(connection, self._places.get(walk.name), keep)
        self._places[walk.name] = page.after
        metrics.REMOVED.labels(walk.name).inc(page.removed)
        if page.after is None:
            metrics.WALKED.labels(walk.name).set_to_current_time()
        return page

"""What a worker does beside its records, each task with the set of stages that it belongs to."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from schemas.ids import Ids
from schemas.webhook_secrets import Seal
from streams.clients.postgres import Database
from streams.collections.expiry import Expiry
from streams.release import Release
from streams.retention.sweep import Sweep
from streams.runner import Publisher
from streams.settings import Settings
from streams.webhooks.bell import Bell
from streams.webhooks.client import Sender
from streams.webhooks.deliverer import Deliverer, Means


@dataclass(frozen=True, slots=True)
class Beside:
    """The tasks of one worker, named `owner`; `bell` rings when webhooks have something to do."""

    settings: Settings
    database: Database
    publisher: Publisher
    ids: Ids
    bell: Bell
    owner: str

    @asynccontextmanager
    async def running(self, stages: Collection[str]) -> AsyncIterator[None]:
        """Run the tasks that go with these stages while in this context."""
        tasks: dict[str, Callable[[], Expiry | Sweep | Release | Deliverer]] = {
            "collections": self._expiry,
            "complete": self._sweep,
            "batches": self._release,
            "notify": self._deliverer,
        }
        async with AsyncExitStack() as stack:
            for stage, task in tasks.items():
                if stage in stages:
                    await stack.enter_async_context(task().running())
            yield

    def _expiry(self) -> Expiry:
        keep = timedelta(days=self.settings.keep_tombstones_days)
        return Expiry(self.database, self.publisher, self.ids, keep_tombstones=keep)

    def _sweep(self) -> Sweep:
        return Sweep(
            self.database,
            keep_requests=self.settings.request_retention,
            keep_events=self.settings.event_retention,
        )

    def _release(self) -> Release:
        return Release(self.database, self.publisher, in_flight=self.settings.bulk_in_flight)

    def _deliverer(self) -> Deliverer:
        seal = Seal.of(self.settings, self.settings.id_secret)
        sender = Sender.of(self.settings)
        means = Means(self.database, self.publisher, self.ids, seal, sender, self.bell)
        return Deliverer.of(means, self.settings, owner=self.owner)

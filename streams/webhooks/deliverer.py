"""The deliverer: the task of a worker that delivers to many endpoints at once, each in its order.

Endpoints that fail or are slow share a quarter of the slots, so that they take none of the others'
time. Reads and writes webhooks and webhook_deliveries; asks by change-webhook for the pause of an
endpoint that has failed for too long, so that its event has its place among the others.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from schemas import topics
from schemas.envelope import Envelope
from schemas.ids import REQUEST, Ids
from schemas.webhook_secrets import Seal
from schemas.webhooks import ChangeWebhook, PauseWebhook
from streams import metrics, turns
from streams.clients.postgres import Database
from streams.collections import rows
from streams.errors import DependencyDown
from streams.runner import Publisher
from streams.settings import Settings
from streams.stage import Record
from streams.webhooks import claims, run
from streams.webhooks.bell import Bell
from streams.webhooks.claims import Claimed, Done, Terms
from streams.webhooks.client import Sender
from streams.webhooks.patience import Patience
from streams.webhooks.run import Runs

log = structlog.get_logger()

_SHORTEST_PAUSE_S: Final = 0.025
_LONGEST_PAUSE_S: Final = 1.0
_MARGIN_S: Final = 15.0
"""How long writing a run's outcome may take before another worker may claim the endpoint."""
_LEAVE_S: Final = 5.0
"""How long a worker that ends waits for answers; what has none by then is delivered again."""
_COUNT_EVERY: Final = timedelta(seconds=15)
_COUNT: Final = f"""
SELECT (SELECT count(*) FROM webhooks WHERE state = 'paused'),
    (SELECT count(*) FROM webhook_deliveries d JOIN webhooks w ON w.webhook_id = d.webhook_id
     WHERE d.state = 'pending' AND w.state = 'active'),
    (SELECT coalesce(extract(epoch FROM clock_timestamp() - min(due_at)), 0) FROM webhooks
     WHERE due_at < clock_timestamp() AND lease_until IS NULL
        AND {claims.SERVED})
"""  # noqa: S608 - of our own parts


@dataclass(frozen=True, slots=True)
class Means:
    """What a deliverer works with."""

    database: Database
    publisher: Publisher
    ids: Ids
    seal: Seal
    sender: Sender
    bell: Bell


class Deliverer:
    """Delivers for one worker, named `owner`, to so many endpoints at once."""

    def __init__(self, means: Means, patience: Patience, *, owner: str, slots: int) -> None:
        self._means = means
        self._slots = slots
        self._strained_slots = max(1, slots // 4)
        self._turns = 0
        self._done: list[Done] = []
        self._owner = owner
        self._lease = timedelta(seconds=run.SECONDS + means.sender.timeout_s + _MARGIN_S)
        self._patience = patience
        self._leaving = False
        self._asking = set[asyncio.Task[None]]()
        self._runs: dict[asyncio.Task[None], Claimed] = {}
        self._deliver = Runs(means.sender, means.seal, patience, lambda: self._leaving)

    @classmethod
    def of(cls, means: Means, settings: Settings, *, owner: str) -> "Deliverer":
        """Returns: a deliverer with the limits of the settings."""
        return cls(means, Patience.of(settings), owner=owner, slots=settings.webhook_slots)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Deliver while in this context; then end what is on its way, or leave it to others."""
        task = asyncio.create_task(self._go_on())
        try:
            async with turns.taking(self._count, name="webhooks", every=_COUNT_EVERY):
                yield
        finally:
            self._leaving = True
            task.cancel()
            await asyncio.wait({task})
            if self._runs:
                await asyncio.wait(self._runs, timeout=_LEAVE_S)
            for each in tuple(self._runs):
                each.cancel()
            # What is not written now is delivered again.
            with suppress(DependencyDown):
                await self._turn()
            if self._asking:
                await asyncio.wait(self._asking, timeout=_LEAVE_S)

    async def _go_on(self) -> None:
        pause = _SHORTEST_PAUSE_S
        while True:
            try:
                claimed = await self._turn()
            except DependencyDown as error:
                log.warning("webhooks wait", dependency=error.dependency, reason=error.detail)
                claimed, pause = [], _LONGEST_PAUSE_S
            except Exception:
                log.exception("bug", of="webhooks")
                await self._write_singly()
                claimed, pause = [], _LONGEST_PAUSE_S
            # What rings may not be committed yet, so it is looked for again soon, and then less;
            # and what ends meanwhile is written together.
            await asyncio.sleep(_SHORTEST_PAUSE_S)
            heard = await self._means.bell.heard(pause)
            pause = _SHORTEST_PAUSE_S if heard or claimed else min(pause * 2, _LONGEST_PAUSE_S)

    async def _turn(self) -> list[Claimed]:
        """Write what has ended and begin what is due, in one transaction. Returns: what is due."""
        free = self._free()
        done, self._done = self._done, []
        self._turns += 1
        # Each turn has a name of its own: what a run that is late writes is not taken for the
        # next one's, which may be this worker's too.
        owner = f"{self._owner}/{self._turns}"
        terms = Terms(owner, self._lease, self._patience.pause_after)
        claimed: list[Claimed] = []
        try:
            async with self._means.database.transaction() as connection:
                if done:
                    await claims.give_back(connection, done)
                if any(free.values()) and not self._leaving:
                    claimed = await claims.claim(connection, terms, **free)
        except BaseException:
            # Writing it twice changes nothing; what is never written is delivered again.
            self._done = [*done, *self._done]
            raise
        self._written(done)
        for each in claimed:
            task = asyncio.create_task(self._work(each, terms))
            self._runs[task] = each
            task.add_done_callback(self._ended)
        return claimed

    async def _write_singly(self) -> None:
        """Write what has ended, but for what cannot be written: that is delivered again."""
        done, self._done = self._done, []
        for each in done:
            try:
                async with self._means.database.transaction() as connection:
                    await claims.give_back(connection, [each])
                self._written([each])
            except DependencyDown:
                self._done.append(each)
            except Exception:
                log.exception("bug", of="webhooks", webhook_id=each.claimed.webhook_id)

    def _free(self) -> dict[str, int]:
        strained = sum(each.strained for each in self._runs.values())
        sound = len(self._runs) - strained
        metrics.WEBHOOK_RUNS.labels("strained").set(strained)
        metrics.WEBHOOK_RUNS.labels("sound").set(sound)
        return {
            "sound": self._slots - self._strained_slots - sound,
            "strained": self._strained_slots - strained,
        }

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._runs.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # Its lease lapses, and the endpoint is tried again.
            log.error("bug", of="webhooks", exc_info=error)
        self._means.bell.ring()

    async def _work(self, claimed: Claimed, terms: Terms) -> None:
        ended = await self._deliver.of(claimed)
        self._done.append(Done(terms, claimed, ended.written, ended.standing, ended.pause))

    def _written(self, done: Sequence[Done]) -> None:
        """Have endpoints paused, now that what failed there is written: nothing comes behind it."""
        for each in done:
            if each.pause is not None:
                task = asyncio.create_task(self._ask_for_pause(each))
                self._asking.add(task)
                task.add_done_callback(self._asking.discard)

    async def _ask_for_pause(self, done: Done) -> None:
        """Publish the order to pause; one that is lost is given again after the next failure."""
        claimed, last, standing = done.claimed, done.written[-1], done.standing
        asked = PauseWebhook(
            reason=done.pause or "",
            version=claimed.version,
            failures=standing.failures if standing else 0,
            failing_since=claimed.failing_since or run.now(),
        )
        topic, gpt_id = topics.CHANGE_WEBHOOK, claimed.gpt_id
        message = ChangeWebhook(webhook_id=claimed.webhook_id, change=asked)
        envelope = Envelope(
            request_id=self._means.ids.derive(
                REQUEST, gpt_id, "pause", last.delivery_id, last.attempts
            ),
            gpt_id=gpt_id,
            schema_name=topic.schema_name,
        )
        key, value = claimed.webhook_id.encode(), message.model_dump_json().encode()
        try:
            record = Record(topic.name, key, value, envelope.to_headers())
            await self._means.publisher.publish((record,))
        except DependencyDown as error:
            log.warning("webhook not paused yet", reason=error.detail)

    async def _count(self) -> None:
        async with self._means.database.transaction() as connection:
            [(paused, pending, lag)] = await rows.fetch(connection, _COUNT, ())
        metrics.WEBHOOK_PAUSED.set(paused)
        metrics.WEBHOOK_PENDING.set(pending)
        metrics.WEBHOOK_LAG.set(float(lag))

"""One run: what is due at one endpoint, delivered in its order until one fails."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

import orjson
import structlog

from schemas.events import EventType
from schemas.messages import CloudEvent
from schemas.states import DeliveryState
from schemas.webhook_secrets import Seal, Unreadable
from streams import metrics
from streams.webhooks import signing
from streams.webhooks.claims import Claimed, Delivery, Standing, Written
from streams.webhooks.client import GONE, Answer, Sender, Way
from streams.webhooks.patience import Patience

log = structlog.get_logger()

SECONDS: Final = 5.0
"""After it a run begins no other delivery, so that others get its slot."""

SLOW_MS: Final = 2000
"""From it on an answer is slow: at most a quarter of the slots are for endpoints like that."""

_ABOUT: Final = {
    "content-type": "application/json",
    "user-agent": "actionstream-webhooks",
    "accept-encoding": "identity",
}


@dataclass(frozen=True, slots=True)
class Run:
    """What a run has come to; with `pause` the endpoint is to be paused, for this reason."""

    written: tuple[Written, ...] = ()
    standing: Standing | None = None
    pause: str | None = None

    def with_one(self, written: Written) -> "Run":
        """Returns: the same with one more delivery."""
        return replace(self, written=(*self.written, written))


@dataclass(frozen=True, slots=True)
class Runs:
    """How endpoints are delivered to; `leaving` says whether the worker is about to end."""

    sender: Sender
    seal: Seal
    patience: Patience
    leaving: Callable[[], bool]

    async def of(self, claimed: Claimed) -> Run:
        """Deliver what is due. Returns: what became of it, to be written."""
        run, began = Run(), time.monotonic()
        async with self.sender.to(claimed.url) as way:
            for delivery in claimed.due:
                if delivery.event is None:
                    run = run.with_one(_skipped(delivery))
                    continue
                answer = await self._attempt(claimed, delivery, way)
                run = self._after(run, claimed, delivery, answer)
                over = time.monotonic() - began > SECONDS
                if not answer.taken or over or self.leaving():
                    break
        return run

    async def _attempt(self, claimed: Claimed, delivery: Delivery, way: Way) -> Answer:
        try:
            secrets = self.seal.open(claimed.webhook_id, claimed.secrets)
            body = payload(delivery.event or {})
            signed = signing.headers(delivery.delivery_id, int(time.time()), body, secrets)
            answer = await way.post(body, _ABOUT | signed)
        except Unreadable:
            answer = Answer(0, error="secret_unreadable")
        except Exception:
            # It is a failure like others, so that it is neither lost nor repeated without a pause.
            log.exception("bug", of="webhooks", webhook_id=claimed.webhook_id)
            answer = Answer(0, error="internal_error")
        metrics.WEBHOOK_ATTEMPTS.labels(answer.error or "delivered").inc()
        metrics.WEBHOOK_SECONDS.observe(answer.latency_ms / 1000)
        return answer

    def _after(self, run: Run, claimed: Claimed, delivery: Delivery, answer: Answer) -> Run:
        is_test = delivery.event_type == EventType.WEBHOOK_TEST
        slow = answer.latency_ms >= SLOW_MS or (run.standing is not None and run.standing.slow)
        if answer.taken:
            written = _written(delivery, answer, DeliveryState.DELIVERED)
            return replace(run.with_one(written), standing=Standing(0, None, slow))
        if is_test:
            # It counts for nothing else, but whoever is only tested must not take others' slots.
            stood = run.standing or Standing(claimed.failures, claimed.failing_since, slow=True)
            failed = run.with_one(_written(delivery, answer, DeliveryState.FAILED))
            return replace(failed, standing=replace(stood, slow=True))
        if delivery.aside and run.standing is not None and not run.standing.failures:
            # The endpoint has just taken others, so it is this one alone that fails.
            return run.with_one(self._failed(delivery, answer))
        stood = run.standing or Standing(claimed.failures, claimed.failing_since, slow)
        failures = stood.failures + 1
        standing = Standing(
            failures,
            stood.failing_since,
            slow,
            held_s=self.patience.held(failures, answer.retry_after_s),
        )
        pause = _why_paused(answer, spent=claimed.spent and stood.failing_since is not None)
        return replace(run.with_one(self._failed(delivery, answer)), standing=standing, pause=pause)

    def _failed(self, delivery: Delivery, answer: Answer) -> Written:
        used = delivery.attempts + 1 - delivery.attempts_before
        if used >= self.patience.attempts:
            return _written(delivery, answer, DeliveryState.FAILED)
        written = _written(delivery, answer, DeliveryState.PENDING)
        if used < self.patience.hold:
            return written
        return replace(written, retry_s=self.patience.after(used))


def payload(event: Mapping[str, Any]) -> bytes:
    """Returns: the body of an event's deliveries: CloudEvents 1.0, structured, and its `timestamp`.

    It is what Standard Webhooks calls the time, and the same as `time`.
    """
    moment = event["time"].astimezone(UTC)
    told = CloudEvent.model_validate({**event, "time": moment}).model_dump(mode="json")
    return orjson.dumps({**told, "timestamp": told["time"]})


def now() -> datetime:
    """Returns: the time of this machine, for what is told to people."""
    return datetime.now(UTC)


def _why_paused(answer: Answer, *, spent: bool) -> str | None:
    if answer.status == GONE:
        return "it answered 410 Gone"
    return "it took nothing for too long" if spent else None


def _skipped(delivery: Delivery) -> Written:
    return Written(
        delivery.delivery_id,
        DeliveryState.SKIPPED,
        urgent=False,
        attempts=delivery.attempts,
        error="event_gone",
    )


def _written(delivery: Delivery, answer: Answer, state: DeliveryState) -> Written:
    return Written(
        delivery.delivery_id,
        state,
        urgent=False,
        attempts=delivery.attempts + 1,
        status_code=answer.status,
        latency_ms=answer.latency_ms,
        excerpt=answer.excerpt,
        error=answer.error,
    )

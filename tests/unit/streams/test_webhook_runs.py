"""What a run makes of answers to tests: of the endpoint it tells only that it is slow."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from schemas import webhook_secrets
from schemas.states import DeliveryState
from schemas.webhook_secrets import Seal
from streams.webhooks.claims import Claimed, Delivery, Done, Standing, Terms
from streams.webhooks.client import Answer
from streams.webhooks.patience import Patience
from streams.webhooks.run import Run, Runs

SINCE = datetime(2026, 11, 21, tzinfo=UTC)
SEAL = Seal("k" * 32)
EVENT = {
    "id": "evt_1",
    "gptid": "demo",
    "type": "webhook.test",
    "sequence": 1,
    "subject": "wh_1",
    "requestid": None,
    "correlationid": None,
    "batchid": None,
    "time": SINCE,
    "data": {},
}


@dataclass
class Playing:
    """A sender whose endpoint always answers this."""

    answer: Answer

    @asynccontextmanager
    async def to(self, _url: str) -> AsyncIterator["Playing"]:
        """The way to an endpoint."""
        yield self

    async def post(self, _body: bytes, _headers: dict[str, str]) -> Answer:
        """One attempt."""
        return self.answer


def endpoint(failures: int) -> Claimed:
    """An endpoint that has failed so often, and whose test is due."""
    sealed = SEAL.seal("wh_1", webhook_secrets.mint())
    since = SINCE if failures else None
    test = Delivery("msg_1", "webhook.test", True, 0, 0, False, EVENT)
    return Claimed(
        "wh_1",
        "demo",
        "https://a.example",
        1,
        failures,
        since,
        strained=bool(failures),
        secrets=(sealed,),
        spent=False,
        due=[test],
    )


async def run_of(claimed: Claimed, answer: Answer) -> Run:
    """What a run comes to whose endpoint answers this."""
    patience = Patience((1.0,), 1, timedelta(hours=1))
    runs = Runs(Playing(answer), SEAL, patience, lambda: False)  # type: ignore[arg-type]
    return await runs.of(claimed)


@pytest.mark.parametrize("failures", [0, 3])
async def test_a_test_that_fails_makes_the_endpoint_slow(failures: int) -> None:
    """It raises no failures and has it left alone no longer."""
    claimed = endpoint(failures)
    run = await run_of(claimed, Answer(10_000, error="timeout"))
    assert [each.state for each in run.written] == [DeliveryState.FAILED]
    assert run.standing == Standing(failures, claimed.failing_since, slow=True)
    assert run.pause is None
    terms = Terms("me", timedelta(seconds=1), timedelta(hours=1))
    row = Done(terms, claimed, run.written, run.standing, run.pause).row()
    assert row is not None
    assert row[3:7] == (failures, claimed.failing_since, True, None)


@pytest.mark.parametrize(("latency_ms", "slow"), [(5, False), (2500, True)])
async def test_a_test_that_is_taken_slowly_makes_it_slow(latency_ms: int, *, slow: bool) -> None:
    """And one that is taken at once ends that."""
    run = await run_of(endpoint(0), Answer(latency_ms, status=200))
    assert run.standing == Standing(0, None, slow)

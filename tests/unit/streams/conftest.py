"""A runner on fakes, and records to give it."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from typing import Any

import pytest

from schemas import topics
from schemas.messages import Ping
from streams.retries import Attempts
from streams.runner import Patience, Runner
from streams.stage import Claim, Outcome, Scope, Stage, Work
from streams.wire import Incoming
from tests.fakes.ledger import FakeLedger
from tests.fakes.publisher import FakePublisher
from tests.suites.ledger import IDS

REQUEST_ID = IDS.mint("req", "demo")


@dataclass
class World:
    """A runner with its ledger and publisher, and the switch that says the worker is leaving."""

    ledger: FakeLedger = field(default_factory=FakeLedger)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    leaving: bool = False
    attempts: int = 2
    bugs_in_a_row: int = 3

    @cached_property
    def runner(self) -> Runner:
        return Runner(
            self.ledger,  # type: ignore[arg-type]  # the fake passes the real one's suite
            self.publisher,
            IDS,
            attempts=Attempts(self.attempts),
            bugs_in_a_row=self.bugs_in_a_row,
            grace=timedelta(seconds=0),
            patience=Patience(
                first_seconds=0.001,
                longest_seconds=0.01,
                look_seconds=0.005,
                in_place_seconds=(0.001,),
            ),
        )

    def record(self, value: Any = None, **headers: str | None) -> Incoming:
        given = {
            "request-id": REQUEST_ID,
            "gpt-id": "demo",
            "schema": "ping.v1",
            **{name.replace("_", "-"): text for name, text in headers.items()},
        }
        body = {"note": "hello"} if value is None else value
        return Incoming(
            topic="ping",
            partition=0,
            offset=7,
            key=b"key",
            value=body if isinstance(body, bytes) else json.dumps(body).encode(),
            headers=tuple((name, text.encode()) for name, text in given.items() if text),
            leaving=lambda: self.leaving,
        )


@pytest.fixture
def world() -> World:
    return World()


Handler = Callable[[Ping, Work], Any]


@pytest.fixture
def stage_of() -> Callable[..., Stage[Ping]]:
    def make(handle: Handler, claim: Claim = Claim.LEASED, *, ordered: bool = False) -> Stage[Ping]:
        async def run(message: Ping, work: Work) -> Outcome:
            return await handle(message, work)

        return Stage("ping", topics.PING, run, claim=claim, scope=Scope.REQUEST, ordered=ordered)

    return make

"""A state machine over keys: reads, news, outages and revocation in any order.

Two sentences hold whatever happens: a key is never accepted once news of its revocation were seen;
and while Postgres answers, none is accepted a second after its revocation was committed.
"""

import asyncio
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.direct import Direct
from gateway.errors import Unauthorised, Unavailable
from gateway.keys.keys import Keys
from gateway.keys.memory import Memory
from gateway.keys.turns import Turns
from gateway.metrics import Metrics
from gateway.principal import Principal
from gateway.settings import GatewaySettings
from schemas.keys import mint
from tests.fakes.keys import FakeDirect
from tests.unit.gateway.conftest import NOWHERE

PEPPER = NOWHERE["key_pepper"]
SETTINGS = GatewaySettings.model_validate({**NOWHERE, "key_outage": "PT20S", "key_cache": "PT60S"})
BOUND_S = 1.0
AWAY_S = 1.0
"""How long one failed read counts as an outage."""


@dataclass
class Call:
    """A call on its way, and whether a read failed meanwhile or just before."""

    task: "asyncio.Task[Principal]"
    began_at: float
    away: bool


class KeysMachine(RuleBasedStateMachine):
    """One key; the attributes are the model."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.now = 1000.0
        self.key = mint("test")
        self.server = FakeDirect(lambda: self.now, held=True)
        self.row = self.server.enter(self.key, PEPPER)
        self.memory = Memory(SETTINGS.key_cache.total_seconds())
        direct = cast("Direct", self.server)
        turns = Turns(lambda _: False)
        self.keys = Keys(SETTINGS, direct, Metrics(), self.memory, turns, clock=lambda: self.now)
        self.calls: list[Call] = []
        self.pending = 0
        self.reading = self.seen = False
        self.committed_at: float | None = None
        self.failed_at = self.read_at = float("-inf")
        # Most of what can go wrong begins with a key that is known, and news that come in.
        self.assign()
        self.wait(0.05)
        self.call()
        self.answer()
        self.hear()

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            for call in self.calls:
                call.task.cancel()
            self.settle()
            self.runner.close()

    def settle(self) -> None:
        async def turns() -> None:
            for _ in range(8):
                await asyncio.sleep(0)

        self.runner.run(turns())

    @rule(seconds=st.sampled_from((0.05, 0.3, 0.6, 0.8, 2.0, 30.0)))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(seconds=st.sampled_from((0.3, 0.6, 0.8, 2.0, 30.0)))
    def wait_while_news_come(self, seconds: float) -> None:
        self.now += seconds
        self.hear()

    @rule()
    def call_and_answer(self) -> None:
        self.call()
        self.answer()

    def answer(self) -> None:
        while self.server.reads:
            self.server.execute()
            self.deliver()

    @rule()
    def call(self) -> None:
        async def start() -> "asyncio.Task[Principal]":
            return asyncio.create_task(self.asked())

        away = self.now - self.failed_at < AWAY_S
        self.calls.append(Call(self.runner.run(start()), self.now, away))
        self.settle()

    async def asked(self) -> Principal:
        text = str(self.key)
        return self.keys.remembered(text) or await self.keys.read(text, "192.0.2.1")

    @rule()
    def execute(self) -> None:
        self.server.execute()

    @rule()
    def deliver(self) -> None:
        read = self.server.deliver()
        if read is not None and self.row_allows(read.seen):
            self.read_at = max(self.read_at, read.began_at)
        self.settle()

    @rule()
    def fail(self) -> None:
        if self.server.fail() is not None:
            self.failed_at = self.now
            for call in self.calls:
                call.away = True
        self.settle()

    @rule()
    def revoke(self) -> None:
        if self.committed_at is None:
            self.row.revoked, self.committed_at = True, self.now
            # A change that is published while nobody reads is missed.
            self.pending += self.reading

    @rule()
    def take_news(self) -> None:
        if self.pending:
            self.pending = 0
            self.seen = True
            self.memory.forget("demo", (self.key.key_id,))

    @rule()
    def assign(self) -> None:
        if not self.reading:
            self.reading = True
            self.memory.doubt(self.now)

    @rule()
    def lose(self) -> None:
        self.reading, self.pending = False, 0
        self.memory.lose()

    @rule()
    def hear(self) -> None:
        if self.reading and not self.pending:
            self.memory.hear(self.now)

    @staticmethod
    def row_allows(row: Any) -> bool:
        return row is not None and not row[6]

    @invariant()
    def holds(self) -> None:
        ended = [call for call in getattr(self, "calls", ()) if call.task.done()]
        for call in ended:
            self.calls.remove(call)
            error = call.task.exception()
            assert error is None or isinstance(error, Unauthorised | Unavailable)
            if error is not None:
                # Nobody is refused for a revocation that was not committed.
                assert not isinstance(error, Unauthorised) or self.committed_at is not None
                assert not isinstance(error, Unavailable) or call.away
                continue
            assert not self.seen
            if not call.away:
                assert self.committed_at is None or call.began_at < self.committed_at + BOUND_S
            longest = SETTINGS.key_outage if call.away else SETTINGS.key_cache
            assert self.now - self.read_at <= longest.total_seconds() + (self.now - call.began_at)


TestKeysMachine = KeysMachine.TestCase
TestKeysMachine.settings = settings(max_examples=60, stateful_step_count=40)

"""A state machine over claim, lease, commit and redelivery; every ledger must agree with its model.

Workers take one step in turns of any order: they claim it with records of any attempt, renew, give
it back, set it aside for a later attempt, or commit; leases lapse at any time.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from schemas.states import StepState
from streams.endings import Claimed, Ending, Held, Settled, Wait
from streams.errors import Fenced
from streams.ledger import Ledger
from streams.stage import Record
from tests.suites.ledger import later, new_work

T = TypeVar("T")
MANY = 2
"""So many claims happen before the step may end, after which nothing more can."""
HOLDER = -1
WORKERS = st.sampled_from((HOLDER, HOLDER, HOLDER, 0, 1, 2))
"""Any of three workers, more often the one that claimed last, so that more than refusals happen."""


class LedgerMachine(RuleBasedStateMachine):
    """Subclass it with `open`, `lapse` and `close`; the attributes of this class are the model."""

    runner: asyncio.Runner

    def open(self) -> Ledger:
        """Returns: an empty ledger."""
        raise NotImplementedError

    def lapse(self) -> None:
        """Let every lease end."""
        raise NotImplementedError

    def close(self) -> None:
        """Give back what `open` took."""

    @initialize()
    def begin(self) -> None:
        self.runner = asyncio.Runner()
        self.ledger = self.open()
        self.work = new_work()
        self.claims: dict[int, tuple[Claimed, int]] = {}
        self.holder: int | None = None
        self.live = False
        self.state: StepState | None = None
        self.attempt = self.fence = self.failures = self.crashes = self.alone_crashes = 0
        self.alone = False
        self.outputs: tuple[Record, ...] = ()
        self.committed = 0

    def teardown(self) -> None:
        if hasattr(self, "runner"):
            self.close()
            self.runner.close()

    def ask(self, call: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(call)

    def meant(self, worker: int) -> int:
        return (self.holder or 0) if worker == HOLDER else worker

    @rule(worker=st.integers(0, 2), older=st.integers(0, 2))
    def claim(self, worker: int, older: int) -> None:
        """A record of the newest attempt or of an older one is delivered."""
        attempt = max(0, self.attempt - older)
        answer = self.ask(self.ledger.claim(later(self.work, attempt)))

        if attempt < self.attempt or self.state in {StepState.DONE, StepState.DEAD}:
            assert answer == Settled(self.outputs)
        elif self.state is StepState.WORKING and self.live:
            assert isinstance(answer, Held)
        else:
            lapsed = self.state is StepState.WORKING
            self.crashes += lapsed
            self.alone_crashes += lapsed and self.alone
            self.fence += 1
            assert answer == Claimed(self.fence, self.failures, self.crashes, self.alone_crashes)
            self.claims[worker] = (answer, attempt)
            self.holder, self.live, self.alone = worker, True, False
            self.state, self.outputs = StepState.WORKING, ()

    def owns(self, worker: int) -> bool:
        """Returns: whether the worker's claim is the newest one, and not yet used up."""
        if worker not in self.claims or self.state is not StepState.WORKING:
            return False
        return self.claims[worker][0].fence == self.fence

    @rule(worker=WORKERS)
    def renew(self, worker: int) -> None:
        worker = self.meant(worker)
        if worker in self.claims:
            ours = self.ask(self.ledger.renew(self.work.key, self.claims[worker][0]))
            assert ours == self.owns(worker)
            self.live = self.live or ours

    @rule(worker=WORKERS)
    def be_alone(self, worker: int) -> None:
        worker = self.meant(worker)
        if worker in self.claims:
            ours = self.ask(self.ledger.mark_alone(self.work.key, self.claims[worker][0]))
            assert ours == self.owns(worker)
            self.live, self.alone = self.live or ours, self.alone or ours

    @rule(worker=WORKERS, failed=st.booleans())
    def give_back(self, worker: int, *, failed: bool) -> None:
        worker = self.meant(worker)
        if worker in self.claims:
            wait = Wait("models", failed=failed)
            self.ask(self.ledger.release(self.work.key, self.claims[worker][0], wait))
            if self.owns(worker):
                self.state, self.live = StepState.WAITING, False
                self.failures += failed

    @precondition(lambda self: self.fence > MANY)
    @rule(worker=WORKERS, state=st.sampled_from((StepState.DONE, StepState.DEAD)))
    def end(self, worker: int, state: StepState) -> None:
        """The step is committed; by who lost it, it is not."""
        self.commit(worker, state, None)

    @rule(worker=WORKERS)
    def set_aside(self, worker: int) -> None:
        """The attempt failed, and the record of the next one is to come."""
        self.commit(worker, StepState.WAITING, Wait("models", failed=True, allowed=5))

    def commit(self, worker: int, state: StepState, wait: Wait | None) -> None:
        worker = self.meant(worker)
        if worker not in self.claims:
            return
        claim, attempt = self.claims[worker]
        output = Record("results", b"k", f"{worker} {claim.fence}".encode(), ())
        ending = Ending(state, (), (output,), wait=wait)
        work = later(self.work, attempt)
        try:
            self.ask(self.ledger.commit(work, claim, ending))
        except Fenced:
            assert not self.owns(worker)
            return
        assert self.owns(worker)
        self.state, self.live, self.outputs = state, False, (output,)
        if wait is None:
            self.committed += 1
        else:
            self.attempt += 1
            self.failures += 1

    @rule()
    def time_passes(self) -> None:
        self.lapse()
        self.live = False

    @invariant()
    def ended_once(self) -> None:
        """However many workers tried, the step came to one end at most."""
        assert getattr(self, "committed", 0) <= 1

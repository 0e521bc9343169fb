"""The breaker: when it opens, when a probe is due, and whom a failure is held against."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from streams.clients.breaker import LONGEST_PAUSE_SECONDS, PARDONS, Breaker, State

THRESHOLD = 3


class Clock:
    """Stands still until it is set."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(threshold=THRESHOLD, pause_seconds=5, clock=clock)


def test_distinct_records_in_a_row_open_it(breaker: Breaker) -> None:
    """The last of so many different records that fail opens it, and says why."""
    for record in ("a", "b", "c"):
        assert breaker.state is State.CLOSED
        breaker.failed(record, f"{record} timed out")

    assert (breaker.state, breaker.reason) == (State.OPEN, "c timed out")


def test_one_bad_record_never_opens_it(breaker: Breaker) -> None:
    """However often the same record fails, it counts once."""
    for _ in range(100):
        breaker.failed("bad", "500")

    assert breaker.state is State.CLOSED
    assert not breaker.pardons("bad")


def test_a_success_between_begins_the_row_anew(breaker: Breaker) -> None:
    """Failures count only while nobody is answered."""
    for record in ("a", "b"):
        breaker.failed(record, "500")
    breaker.succeeded("good")
    breaker.failed("c", "500")

    assert breaker.state is State.CLOSED


def test_calls_of_no_record_count_each(breaker: Breaker) -> None:
    """A busy server speaks for everybody each time."""
    for _ in range(THRESHOLD):
        breaker.failed(None, "busy")

    assert breaker.state is State.OPEN


def test_the_pause_grows_until_a_record_succeeds(breaker: Breaker, clock: Clock) -> None:
    """Each failed probe doubles it up to a minute; a probe that succeeds does not shorten it."""
    breaker.open("away")
    pauses = []
    for _ in range(6):
        began = clock.now
        while not breaker.probe_is_due:
            clock.now += 1
        pauses.append(clock.now - began)
        breaker.probing()
        breaker.probe_failed("still away")
    assert pauses == [5, 10, 20, 40, LONGEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS]

    breaker.probing()
    breaker.probe_succeeded()
    breaker.open("away again")
    clock.now += 5
    assert not breaker.probe_is_due

    breaker.succeeded("a")
    breaker.open("away once more")
    clock.now += 5
    assert breaker.probe_is_due


def test_a_probe_that_was_left_is_due_again_at_once(breaker: Breaker, clock: Clock) -> None:
    """A worker that gives way in its probe leaves no breaker half open."""
    breaker.open("away")
    clock.now += 5
    breaker.probing()
    assert not breaker.probe_is_due

    breaker.probe_left()

    assert (breaker.state, breaker.probe_is_due) == (State.OPEN, True)


def test_a_record_is_pardoned_so_often_in_a_row(breaker: Breaker) -> None:
    """One that takes the model down with it each time is charged in the end; a success clears."""
    breaker.open("broke")
    assert [breaker.pardons("bad") for _ in range(PARDONS + 1)] == [True] * PARDONS + [False]

    for _ in range(PARDONS):
        breaker.open("broke")
        assert breaker.pardons("bad")
        breaker.succeeded("bad")


def test_every_change_is_told(clock: Clock) -> None:
    """Who listens hears each state with its reason."""
    told: list[tuple[State, str | None]] = []
    breaker = Breaker(
        threshold=1, pause_seconds=1, clock=clock, changed=lambda *state: told.append(state)
    )
    breaker.failed("a", "500")
    breaker.probing()
    breaker.probe_succeeded()

    assert told == [(State.OPEN, "500"), (State.HALF_OPEN, "500"), (State.CLOSED, None)]


RECORDS = st.sampled_from([*"abcde", None])


class AnyOrder(RuleBasedStateMachine):
    """Calls end in any order, while probes come and go."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.breaker = Breaker(threshold=THRESHOLD, pause_seconds=5, clock=self.clock)
        self.failed_since: list[object] = []

    @rule(record=RECORDS)
    def succeeds(self, record: str | None) -> None:
        self.breaker.succeeded(record)
        self.failed_since = []
        assert self.breaker.state is State.CLOSED
        assert self.breaker.reason is None

    @rule(record=RECORDS)
    def fails(self, record: str | None) -> None:
        was = self.breaker.state
        row = [*self.failed_since, object() if record is None else record]
        self.breaker.failed(record, "500")
        if was is State.CLOSED:
            expected = State.OPEN if len(set(row)) >= THRESHOLD else State.CLOSED
            assert self.breaker.state is expected
            self.failed_since = [] if expected is State.OPEN else row
        else:
            assert self.breaker.state is was

    @rule()
    def is_refused(self) -> None:
        was = self.breaker.state
        self.breaker.open("refused")
        assert self.breaker.state is (State.OPEN if was is State.CLOSED else was)
        self.failed_since = []

    @rule(seconds=st.floats(0, 70))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.breaker.probe_is_due)
    @rule()
    def probe_begins(self) -> None:
        self.breaker.probing()
        assert not self.breaker.probe_is_due

    @precondition(lambda self: self.breaker.state is State.HALF_OPEN)
    @rule(end=st.sampled_from(["succeeded", "failed", "left"]))
    def probe_ends(self, end: str) -> None:
        if end == "succeeded":
            self.breaker.probe_succeeded()
        elif end == "failed":
            self.breaker.probe_failed("500")
            assert not self.breaker.probe_is_due
        self.breaker.probe_left()
        self.failed_since = []
        expected = State.CLOSED if end == "succeeded" else State.OPEN
        assert self.breaker.state is expected

    @invariant()
    def a_reason_stands_while_it_is_not_closed(self) -> None:
        assert (self.breaker.reason is None) is (self.breaker.state is State.CLOSED)

    @invariant()
    def a_probe_comes_within_a_minute(self) -> None:
        if self.breaker.state is State.OPEN:
            ahead = Clock()
            ahead.now = self.clock.now + LONGEST_PAUSE_SECONDS
            self.breaker._clock = ahead
            assert self.breaker.probe_is_due
            self.breaker._clock = self.clock

    @invariant()
    def nothing_is_laid_to_the_model_while_closed(self) -> None:
        if self.breaker.state is State.CLOSED:
            assert not self.breaker.pardons("z")


TestAnyOrder = AnyOrder.TestCase

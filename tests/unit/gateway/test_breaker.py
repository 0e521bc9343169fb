"""The breaker opens after failures in a row, lets probes through one by one, and closes."""

from dataclasses import dataclass

import pytest

from gateway.breaker import Breaker


@dataclass
class Clock:
    """Shows what the test says."""

    now: float = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """A breaker that opens at the second failure, for five seconds."""
    return Breaker(failures=2, pause_s=5, clock=clock)


def test_failures_in_a_row_open_it(breaker: Breaker) -> None:
    """One failure does not, a success between two starts the count anew, two in a row do."""
    breaker.failed("away")
    breaker.succeeded()
    breaker.failed("away")
    assert breaker.state == "closed"
    assert breaker.admits()
    breaker.failed("away again")
    assert (breaker.state, breaker.reason) == ("open", "away again")
    assert not breaker.admits()


def test_after_the_pause_one_call_probes(breaker: Breaker, clock: Clock) -> None:
    """One is let through; the others go on being refused until it is known how that one went."""
    breaker.failed("away")
    breaker.failed("away")
    clock.now += 5
    assert breaker.state == "half-open"
    assert breaker.admits()
    assert not breaker.admits()
    breaker.succeeded()
    assert (breaker.state, breaker.reason) == ("closed", None)
    assert breaker.admits()


def test_a_failed_probe_opens_it_again(breaker: Breaker, clock: Clock) -> None:
    """Another pause begins; a probe that never ends is followed by another one."""
    breaker.failed("away")
    breaker.failed("away")
    clock.now += 5
    assert breaker.admits()
    breaker.failed("still away")
    assert not breaker.admits()
    clock.now += 5
    assert breaker.admits()
    clock.now += 5
    assert breaker.admits()

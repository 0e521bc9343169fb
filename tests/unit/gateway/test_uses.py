"""Last uses of keys: noted at once, written together, and never the reason of a failure."""

from collections.abc import Mapping

import pytest

from gateway import uses
from gateway.limits.store import StoreAway
from gateway.uses import Uses
from tests.fakes.buckets import Clock


class Kept:
    """Keeps what is written, unless it is away."""

    def __init__(self) -> None:
        self.written: list[dict[str, float]] = []
        self.away = False

    async def note_uses(self, ago_s: Mapping[str, float]) -> None:
        """As the store does."""
        if self.away:
            raise StoreAway("OperationalError")
        self.written.append(dict(ago_s))


async def test_the_last_use_of_each_is_written_once() -> None:
    """By its age, so that the database's clock tells the time; nothing new is nothing to write."""
    clock, kept = Clock(), Kept()
    noted = Uses(kept, clock)
    noted.note("a")
    clock.now += 10
    noted.note("b")
    noted.note("a")
    clock.now += 5
    await noted.flush()
    await noted.flush()
    assert kept.written == [{"a": 5.0, "b": 5.0}]


async def test_what_could_not_be_written_is_written_later() -> None:
    """With its true age; a later use goes before it."""
    clock, kept = Clock(), Kept()
    noted = Uses(kept, clock)
    noted.note("a")
    noted.note("b")
    kept.away = True
    await noted.flush()
    clock.now += 60
    noted.note("b")
    kept.away = False
    await noted.flush()
    assert kept.written == [{"a": 60.0, "b": 0.0}]


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of more keys than that, those that are known already go on being noted."""
    monkeypatch.setattr(uses, "MOST_KEYS", 2)
    clock, kept = Clock(), Kept()
    noted = Uses(kept, clock)
    for key_id in ("a", "b", "c"):
        noted.note(key_id)
    clock.now += 7
    noted.note("a")
    await noted.flush()
    assert kept.written == [{"a": 0.0, "b": 7.0}]


async def test_many_are_written_in_parts() -> None:
    """No statement is endless."""
    kept = Kept()
    noted = Uses(kept, Clock())
    for number in range(2500):
        noted.note(str(number))
    await noted.flush()
    assert [len(one) for one in kept.written] == [1000, 1000, 500]

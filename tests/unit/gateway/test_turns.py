"""Turns at the database: whoever goes away while it waits takes nobody's turn with it."""

import asyncio

import pytest

from gateway.errors import Unavailable
from gateway.keys.turns import AT_ONCE, Turns

FLOOD = "192.0.2.1"


class Readers:
    """Tasks that take a turn, and hold it until they are let go."""

    def __init__(self, most: int) -> None:
        self.turns = Turns({FLOOD}.__contains__, most)
        self.go_on = asyncio.Event()
        self.reading: list[str] = []

    async def begin(self, address: str) -> "asyncio.Task[None]":
        """Returns: a reader that has its turn, or waits for it."""
        task = asyncio.create_task(self._read(address))
        await self.settle()
        return task

    async def settle(self) -> None:
        """Let all do what they can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def _read(self, address: str) -> None:
        async with self.turns.taken(address):
            self.reading.append(address)
            try:
                await self.go_on.wait()
            finally:
                self.reading.remove(address)


async def test_who_goes_away_takes_no_turn() -> None:
    """Neither in its turn, nor while it waits, nor in the moment in which its turn has come."""
    readers = Readers(most=10)
    in_turn = [await readers.begin(f"198.51.100.{number}") for number in range(AT_ONCE - 1)]
    async with readers.turns.taken("198.51.100.9"):
        waiting = [await readers.begin("203.0.113.1") for _ in range(4)]
        waiting[0].cancel()
        in_turn[0].cancel()
        await readers.settle()
        assert readers.reading.count("203.0.113.1") == 1
    # The end of that turn has given it to the next one, who has not run since.
    waiting[2].cancel()
    await readers.settle()
    assert readers.reading.count("203.0.113.1") == 2
    readers.go_on.set()
    await readers.settle()
    assert [one.cancelled() for one in waiting] == [True, False, True, False]
    assert not readers.reading


async def test_who_goes_away_makes_room_for_others() -> None:
    """It is not told that there are too many: nobody is there to be told."""
    readers = Readers(most=2)
    waiting = [await readers.begin(FLOOD) for _ in range(3)]
    assert readers.reading == [FLOOD]
    waiting[2].cancel()
    other = await readers.begin("198.51.100.1")
    await readers.begin("198.51.100.2")
    readers.go_on.set()
    await readers.settle()
    assert [one.cancelled() for one in waiting] == [False, False, True]
    assert other.exception() is None


async def test_the_latest_of_the_longest_line_gives_way() -> None:
    """And the newcomer itself, where nobody has more that wait than it has."""
    readers = Readers(most=2)
    waiting = [await readers.begin(FLOOD) for _ in range(4)]
    assert isinstance(waiting[3].exception(), Unavailable)
    for number in range(AT_ONCE - 1):
        await readers.begin(f"198.51.100.{number}")
    one = await readers.begin("203.0.113.1")
    assert isinstance(waiting[2].exception(), Unavailable)
    assert not one.done()
    with pytest.raises(Unavailable, match="too many keys"):
        await (await readers.begin("203.0.113.1"))
    readers.go_on.set()
    await asyncio.gather(waiting[0], waiting[1], one)

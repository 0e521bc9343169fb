"""Slots: so many at once, bulk work only its share, and never before others."""

import asyncio
import random
from collections.abc import Callable

import pytest

from streams.slots import Slots, as_bulk


class Holders:
    """Tasks that hold a slot until they are let go."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self.holding = {True: 0, False: 0}

    def begin(self, *, bulk: bool) -> tuple["asyncio.Task[None]", Callable[[], None]]:
        done = asyncio.Event()

        async def hold() -> None:
            with as_bulk(bulk=bulk):
                async with self.slots.one():
                    self.holding[bulk] += 1
                    try:
                        await done.wait()
                    finally:
                        self.holding[bulk] -= 1

        return asyncio.create_task(hold()), done.set


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.mark.parametrize(("total", "share", "most"), [(4, 0.75, 3), (1, 0.5, 1), (8, 1.0, 8)])
async def test_bulk_work_holds_its_share_at_most(total: int, share: float, most: int) -> None:
    """Rounded down, and at least one, or a batch would never end where there is one slot."""
    holders = Holders(Slots(total, share))
    begun = [holders.begin(bulk=True) for _ in range(2 * total)]
    await _settle()
    assert holders.holding == {True: most, False: 0}
    for task, _ in begun:
        task.cancel()
    await asyncio.gather(*(task for task, _ in begun), return_exceptions=True)


async def test_others_go_before_bulk_work_that_has_waited_longer() -> None:
    """The slot that becomes free is for the document that was sent alone."""
    holders = Holders(Slots(1, 1.0))
    first, end_first = holders.begin(bulk=True)
    await _settle()
    second, end_second = holders.begin(bulk=True)
    await _settle()
    alone, end_alone = holders.begin(bulk=False)
    await _settle()
    end_first()
    await first
    await _settle()
    assert holders.holding == {True: 0, False: 1}
    end_alone()
    end_second()
    await asyncio.gather(alone, second)


async def test_no_slot_is_lost_however_waiting_ends() -> None:
    """Also where a task is cancelled just when it is given its slot."""
    chance = random.Random(7)
    holders = Holders(Slots(3, 0.67))
    for _ in range(300):
        begun = [holders.begin(bulk=chance.random() < 0.5) for _ in range(chance.randint(1, 8))]
        for _ in range(chance.randint(0, 3)):
            await asyncio.sleep(0)
        for task, end in begun:
            if chance.random() < 0.5:
                task.cancel()
            end()
        await asyncio.gather(*(task for task, _ in begun), return_exceptions=True)
    begun = [holders.begin(bulk=False) for _ in range(3)]
    await _settle()
    assert holders.holding == {True: 0, False: 3}
    for _, end in begun:
        end()
    await asyncio.gather(*(task for task, _ in begun))

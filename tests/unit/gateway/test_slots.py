"""So many at once."""

import asyncio

import pytest

from gateway.slots import Slots


async def test_slots_are_given_in_the_order_of_asking() -> None:
    """Whoever comes when there is none waits until one is given back."""
    slots, order = Slots(1), list[int]()

    async def work(number: int) -> None:
        await slots.take(60)
        order.append(number)
        await asyncio.sleep(0)
        slots.give_back()

    await asyncio.gather(*(work(number) for number in range(5)))
    assert order == [0, 1, 2, 3, 4]


async def test_waiting_ends() -> None:
    """A slot that is given back later goes to the next who asks."""
    slots = Slots(1)
    await slots.take(60)
    with pytest.raises(TimeoutError):
        await slots.take(0.001)
    slots.give_back()
    await slots.take(0)


@pytest.mark.parametrize("given", [False, True])
async def test_a_slot_of_who_is_cancelled_is_not_lost(given: bool) -> None:  # noqa: FBT001
    """Neither while it waits, nor when it has just been given the slot."""
    slots = Slots(1)
    await slots.take(60)
    waiting = asyncio.create_task(slots.take(60))
    await asyncio.sleep(0)
    if given:
        slots.give_back()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    if not given:
        slots.give_back()
    await asyncio.wait_for(slots.take(60), 5)

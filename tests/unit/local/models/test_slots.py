"""Slots bound what runs and what waits, and a client that leaves gives its slot back."""

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from local.models.refusal import Refused
from local.models.slots import BUSY, ClientGone, Slots, unless_gone


async def held(slots: Slots, until: asyncio.Event) -> None:
    """Keep a slot until the event."""
    async with slots.hold():
        await until.wait()


def request(gone: asyncio.Event) -> Request:
    """Return a request whose client leaves at the event."""

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    return Request({"type": "http", "headers": []}, receive)


async def test_the_queue_has_an_end() -> None:
    """One runs, one waits, the third is told that the server is busy, later ones run again."""
    slots, until = Slots(parallel=1, queue=1), asyncio.Event()
    tasks = [asyncio.create_task(held(slots, until)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as refusal:
        async with slots.hold():
            pass
    assert (refusal.value.status, refusal.value.message) == (503, BUSY)
    until.set()
    await asyncio.gather(*tasks)
    async with slots.hold():
        assert tasks[1].done()


async def test_a_cancelled_wait_leaves_no_trace() -> None:
    """Waiting calls that are given up neither run nor count."""
    slots, until = Slots(parallel=1, queue=1), asyncio.Event()
    first = asyncio.create_task(held(slots, until))
    await asyncio.sleep(0)
    for _ in range(5):
        waiting = asyncio.create_task(held(slots, until))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    until.set()
    await first
    async with slots.hold():
        assert first.done()


async def test_a_client_that_leaves_frees_its_slot() -> None:
    """The work is cancelled and the next call runs."""
    slots, gone = Slots(parallel=1, queue=0), asyncio.Event()
    call = asyncio.create_task(unless_gone(request(gone), held(slots, asyncio.Event())))
    await asyncio.sleep(0.01)
    gone.set()
    with pytest.raises(ClientGone):
        await call
    async with slots.hold():
        assert call.done()


async def test_work_that_ends_first_returns_its_result() -> None:
    """A client that stays gets its answer, and errors pass through."""

    async def work() -> int:
        return 7

    async def failing() -> int:
        raise Refused(400, "no")

    assert await unless_gone(request(asyncio.Event()), work()) == 7
    with pytest.raises(Refused):
        await unless_gone(request(asyncio.Event()), failing())

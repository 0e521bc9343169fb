"""Work that a worker does beside its records, turn by turn, for as long as it runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta

import structlog

log = structlog.get_logger()


@asynccontextmanager
async def taking(
    turn: Callable[[], Awaitable[None]], *, name: str, every: timedelta
) -> AsyncIterator[None]:
    """Take a turn, and another one so long after each, while in this context.

    What a turn raises is logged; the next one does what it did not.
    """
    task = asyncio.create_task(_go_on(turn, name, every.total_seconds()))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _go_on(turn: Callable[[], Awaitable[None]], name: str, seconds: float) -> None:
    while True:
        try:
            await turn()
        except Exception as error:  # noqa: BLE001 - the next turn does what this one did not
            reason, *_ = str(error).splitlines() or [type(error).__name__]
            log.warning("turn not done", of=name, reason=reason)
        await asyncio.sleep(seconds)

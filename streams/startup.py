"""Start-up: wait until everything that the stages need is there, saying once what is waited for."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog

from streams.clients.calls import ModelMissing
from streams.clients.ollama import WrongModel
from streams.errors import Unavailable

log = structlog.get_logger()

SAY_AGAIN_SECONDS: Final = 30.0
SAY_MISSING_AGAIN_SECONDS: Final = 60.0

Check = Callable[[], Awaitable[None]]
"""Returns if something is there, raises if not."""


@dataclass(slots=True)
class StartUp:
    """What a starting worker waits for: `waiting_for` has a reason for each that is not there."""

    look_seconds: float = 1.0
    clock: Callable[[], float] = time.monotonic
    waiting_for: dict[str, str] = field(default_factory=dict)

    async def wait_for_all(self, needed: Mapping[str, Check]) -> None:
        """Return when all are there. Raises: WrongModel: waiting cannot help."""
        await asyncio.gather(*(self.wait_for(name, check) for name, check in needed.items()))

    async def wait_for(self, name: str, check: Check) -> None:
        """Return when this one is there. Raises: WrongModel: waiting cannot help."""
        said_at = 0.0
        while (error := await _failure(check)) is not None:
            reason = error.detail if isinstance(error, Unavailable) else _first_line(error)
            missing = isinstance(error, ModelMissing)
            again = SAY_MISSING_AGAIN_SECONDS if missing else SAY_AGAIN_SECONDS
            if self.waiting_for.get(name) != reason or self.clock() - said_at >= again:
                say = log.error if missing else log.warning
                say("waiting", dependency=name, reason=reason)
                said_at = self.clock()
            self.waiting_for[name] = reason
            await asyncio.sleep(self.look_seconds)
        if self.waiting_for.pop(name, None) is not None:
            log.info("is there", dependency=name)


def _first_line(error: Exception) -> str:
    first, *_ = str(error).splitlines() or [type(error).__name__]
    return first


async def _failure(check: Check) -> Exception | None:
    try:
        await check()
    except WrongModel:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it is waited for and said
        return error
    return None


async def done_before(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Returns: whether `work` was done before `stop` was set; it is cancelled if not.

    Raises: what `work` raises.
    """
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stop.is_set():
            return False
        await working
        return True
    finally:
        for task in (working, stopping):
            task.cancel()
        await asyncio.wait({working, stopping})

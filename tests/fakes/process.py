"""A worker's process that can be ended, or frozen, at any of its await points.

Every time a task goes on after an await, its event loop runs a callback; counting those callbacks
enumerates the await points of whatever runs there.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


class Killed(BaseException):
    """What a dead process gets for asking for anything; nothing in it may catch this."""


class _CountingLoop(asyncio.SelectorEventLoop):
    """Counts callbacks, and stops before the one numbered `stop_at`."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.stop_at: int | None = None

    def call_soon(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        return super().call_soon(self._counted, callback, args, context=context)

    def _counted(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.count += 1
        if self.count == self.stop_at:
            # It is still to be done, should the process be thawed.
            super().call_soon(callback, *args)
            self.stop()
            return
        callback(*args)


@dataclass
class Process:
    """A process: its coroutine runs until it ends, or until it is stopped at a point."""

    dead: bool = False

    def __post_init__(self) -> None:
        self._loop = _CountingLoop()
        self._main: asyncio.Task[None] | None = None

    @property
    def points(self) -> int:
        """Returns: how many await points it has passed."""
        return self._loop.count

    def run(self, work: Coroutine[Any, Any, None], stop_at: int | None = None) -> bool:
        """Run `work` up to a point. Returns: whether it came to its end before."""
        self._loop.stop_at = stop_at
        self._main = self._loop.create_task(work)
        return self._go_on()

    def thaw(self) -> None:
        """Let a frozen process go on to its end."""
        self._loop.stop_at = None
        self._go_on()

    def _go_on(self) -> bool:
        main = self._main
        assert main is not None
        main.add_done_callback(lambda _: self._loop.stop())
        self._loop.run_forever()
        if not main.done():
            return False
        main.result()
        self._loop.close()
        return True

    def kill(self) -> None:
        """End it where it stands. What its code still tries while unwinding has no effect."""
        if self._loop.is_closed():
            return  # It came to its end before.
        self.dead = True
        self._loop.stop_at = None
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self._loop.close()

    async def ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """Returns: what a call to something outside returns. Raises: Killed: this is dead."""
        await self._point()
        answer = await call()
        await self._point()
        return answer

    async def _point(self) -> None:
        await asyncio.sleep(0)
        if self.dead:
            raise Killed

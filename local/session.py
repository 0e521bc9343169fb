"""One session of the supervisor: take the lock, fetch, start the servers, end all when left."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator, Callable, Iterator

from local import ports
from local.estate import Estate
from local.leash import Leash
from local.supervisor import Restarts, Supervisor


@contextlib.asynccontextmanager
async def supervised(
    estate: Estate, say: Callable[[str], None], restarts: Restarts | None = None
) -> AsyncIterator[Supervisor]:
    """Fetch and start the servers of an estate; end them, and all started later, on leaving.

    Raises:
        Obstacle: they cannot be fetched or started, or one died; the message says what to do.
    """
    leash = await Leash.take(estate.places.state, say)
    supervisor = Supervisor(estate.places, leash, say, restarts)
    try:
        ports.check(estate.listening())
        await asyncio.to_thread(estate.fetch, say)
        with first_problem():
            await supervisor.start(estate.servers)
        yield supervisor
    finally:
        await supervisor.stop()
        leash.let_go()


@contextlib.contextmanager
def first_problem() -> Iterator[None]:
    """Turn the group of problems of a parallel start into the first of them."""
    try:
        yield
    except ExceptionGroup as group:
        problem: BaseException = group
        while isinstance(problem, BaseExceptionGroup):
            problem = problem.exceptions[0]
        raise problem from None


def stop_on_signals(task: asyncio.Task[None]) -> None:
    """Cancel `task` at the first Ctrl-C, termination or closed terminal."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)

"""What the supervisor needs to know of a program: how to fetch, prepare, start, check, stop it."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from local.places import PROJECT

Report = Callable[[str], None]


async def nothing() -> None:
    """Prepare nothing."""


async def always() -> bool:
    """Returns: True, for a program that is of use as soon as it runs."""
    return True


def nothing_to_fetch(_report: Report) -> None:
    """Fetch nothing."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program that runs for as long as the local run does.

    Attributes:
        name: of the process, its log file and its row in `make status`.
        argv: how it is started; the first is a path or found in PATH.
        env: its whole environment.
        ready: tells whether it can serve; may raise OSError for "not yet". Asked again and again.
        port: where it listens on loopback, None if nowhere.
        cwd: its working folder.
        uid: the user that it runs as, None for the one who started the run.
        fetch: brings what it needs into the cache; told how to report progress. Idempotent.
        prepare: makes its configuration and its empty data; runs before each start.
        stop_signal: asks it to end in good order.
        grace_s: seconds that it may take for that before it is killed.
        start_limit_s: seconds after which a start counts as failed.
        after: names of the programs that must be ready before this one is started.
        restarts: whether it is started again when it ends by itself; a server never is.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    ready: Callable[[], Awaitable[bool]]
    port: int | None = None
    cwd: Path = PROJECT
    uid: int | None = None
    fetch: Callable[[Report], None] = nothing_to_fetch
    prepare: Callable[[], Awaitable[None]] = nothing
    stop_signal: signal.Signals = signal.SIGTERM
    grace_s: float = 15.0
    start_limit_s: float = 300.0
    after: tuple[str, ...] = ()
    restarts: bool = False

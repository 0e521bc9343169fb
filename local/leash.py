"""The leash: starts programs so that none outlives its supervisor, and holds the run's lock.

Each program is its own process group and begins with a shell that waits for one line. The line is
sent only when the watchdog knows the group; a supervisor that dies in between sends none, the shell
reads the end of its input and is gone. So there is no moment in which a program could be left over.
"""

import asyncio
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from local import watchdog
from local.errors import Obstacle
from local.program import Program

_WAIT_FOR_THE_WORD = 'read -r word && exec "$@" </dev/null'
#: The watchdog of a run that was killed needs its grace and a little more.
_LOCK_TRIES = 60
_LOCK_PAUSE_S = 0.25


class Leash:
    """One per supervisor: its lock, its watchdog, its programs' process groups."""

    def __init__(self, lock: IO[str], dog: subprocess.Popen[str]) -> None:
        self._lock = lock
        self._dog = dog

    @classmethod
    async def take(cls, state: Path, say: Callable[[str], None]) -> Self:
        """Take the lock of `state` and start the watchdog.

        Raises:
            Obstacle: another run holds it.
        """
        lock = (state / "lock").open("a+", encoding="utf-8")
        try:
            await _take(lock, state, say)
        except BaseException:
            lock.close()
            raise
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        return cls(lock, _watchdog(lock))

    async def start(self, program: Program, log: IO[bytes] | None) -> asyncio.subprocess.Process:
        """Start a program on the leash, its output going to `log`, or to this terminal if None.

        Returns: the process; its id is also that of its group.
        """
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            _WAIT_FOR_THE_WORD,
            program.name,
            *program.argv,
            env=dict(program.env),
            cwd=program.cwd,
            stdin=asyncio.subprocess.PIPE,
            stdout=log,
            stderr=asyncio.subprocess.STDOUT if log else None,
            start_new_session=True,
            user=program.uid,
            group=program.uid,
            extra_groups=None if program.uid is None else [],
        )
        self._tell(f"+ {process.pid} {int(program.stop_signal)}")
        if process.stdin is not None:
            process.stdin.write(b"go\n")
            process.stdin.close()
        return process

    def ended(self, pid: int) -> None:
        """Clear away what a program that ended left in its group, and forget it."""
        kill_group(pid, signal.SIGKILL)
        self._tell(f"- {pid}")

    def let_go(self) -> None:
        """End the watchdog and give the lock back; every program has ended before."""
        if self._dog.stdin is not None:
            self._dog.stdin.close()
        self._dog.wait()
        self._lock.truncate(0)
        self._lock.close()

    def _tell(self, line: str) -> None:
        if self._dog.stdin is not None:
            self._dog.stdin.write(line + "\n")


def kill_group(group: int, number: signal.Signals) -> None:
    """Send a signal to every process of a group; a group that is gone is fine."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


async def _take(lock: IO[str], state: Path, say: Callable[[str], None]) -> None:
    for attempt in range(_LOCK_TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            pid = lock.read().strip()
            if pid.isdigit() and _runs(int(pid)):
                raise Obstacle(
                    f"A run is up already (process {pid}): see `make status`, "
                    f"or end it with Ctrl-C in its terminal or `kill {pid}`."
                ) from None
            if attempt == 0:
                say("an earlier run was killed; waiting until its servers have ended")
            await asyncio.sleep(_LOCK_PAUSE_S)
        else:
            return
    raise Obstacle(
        f"What an earlier run left does not end: {state / 'run.json'} names its processes."
    )


def _watchdog(lock: IO[str]) -> subprocess.Popen[str]:
    # It holds the lock too, so a next run waits until the last server has ended.
    return subprocess.Popen(
        [sys.executable, "-I", "-S", watchdog.__file__],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        pass_fds=[lock.fileno()],
        start_new_session=True,
        text=True,
        bufsize=1,
    )


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True

"""The watchdog: ends the programs of a run when its supervisor is gone, however that happened.

Runs as a process of its own with only the standard library. Reads lines from its standard input, a
pipe that only the supervisor writes to: `+ GROUP SIGNAL` when a process group begins, `- GROUP`
when it has ended. The end of the pipe means that the supervisor died: what is left is asked to end,
then killed. A pipe works the same on Linux and macOS, which a parent-death signal does not.
"""

import os
import signal
import sys
import time
from collections.abc import Iterable, Mapping

#: Databases need a moment to end in good order; after that nothing may stay.
GRACE_S = 10.0
_POLL_S = 0.1


def remaining(lines: Iterable[str]) -> dict[int, int]:
    """Follow the supervisor's lines to their end.

    Returns: the process groups that still run, each with the signal that asks it to end.
    """
    groups: dict[int, int] = {}
    for line in lines:
        match line.split():
            case ["+", group, number]:
                groups[int(group)] = int(number)
            case ["-", group]:
                groups.pop(int(group), None)
    return groups


def end(groups: Mapping[int, int], grace_s: float = GRACE_S) -> None:
    """Ask each group to end with its signal, and kill those that still run after `grace_s`."""
    left = {group for group, number in groups.items() if _signal(group, number)}
    deadline = time.monotonic() + grace_s
    while left and time.monotonic() < deadline:
        time.sleep(_POLL_S)
        left = {group for group in left if _signal(group, 0)}
    for group in left:
        _signal(group, signal.SIGKILL)


def _signal(group: int, number: int) -> bool:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def main() -> None:
    """Wait for the end of the supervisor, then end what it left."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    end(remaining(sys.stdin))


if __name__ == "__main__":
    main()

"""What `make status`, `make logs` and `make reset` do: look at a run from outside, and end it."""

import os
import shutil
import signal
import time
from pathlib import Path

import psutil
from rich.console import Console
from rich.table import Table

from local import record
from local.errors import Obstacle
from local.places import Places, where
from local.record import Entry, State

_STOP_LIMIT_S = 60.0
_MIB = 1024**2


def supervisor(state: Path) -> int | None:
    """Returns: the process id of the supervisor that runs in `state`, None if none does."""
    pid, _ = record.read(state)
    if pid is None or not psutil.pid_exists(pid):
        return None
    try:
        # A number that was given to another program since then is not ours to signal.
        line = psutil.Process(pid).cmdline()
    except psutil.Error:
        return None
    return pid if "local" in line else None


def table(state: Path, now: float) -> Table:
    """Returns: one row for each program: process, state, port, time since its start, memory."""
    alive = supervisor(state) is not None
    _, entries = record.read(state)
    rows = Table("name", "pid", "state", "port", "up", "memory", "restarts", box=None)
    for entry in entries:
        shown = entry.state if alive else State.STOPPED
        runs = alive and entry.state in (State.READY, State.STARTING)
        rows.add_row(
            entry.name,
            str(entry.pid or "-") if runs else "-",
            shown.value,
            str(entry.port or "-"),
            f"{now - entry.started_at:.0f} s" if runs else "-",
            f"{memory(entry) / _MIB:.0f} MiB" if runs else "-",
            str(entry.restarts),
        )
    return rows


def memory(entry: Entry) -> int:
    """Returns: the bytes in memory of a program and its children.

    A page that several processes share counts once where the system can tell (Linux); elsewhere
    only what each has for itself counts.
    """
    if entry.pid is None:
        return 0
    try:
        process = psutil.Process(entry.pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return 0
    total = 0
    for one in family:
        try:
            used = one.memory_full_info()
            total += getattr(used, "pss", used.uss)
        except psutil.Error:
            # It ended between the listing and the question.
            continue
    return total


def show(state: Path, console: Console) -> None:
    """Print the table, or that nothing runs."""
    pid = supervisor(state)
    if pid is None:
        console.print("nothing runs; start it with `make run`")
        return
    console.print(f"supervisor: process {pid}")
    console.print(table(state, time.time()))


def tail(state: Path, name: str | None, lines: int, console: Console) -> None:
    """Print the end of one program's log, or of all.

    Raises:
        Obstacle: there is no such log.
    """
    logs = sorted((state / "logs").glob("*.log"))
    chosen = [log for log in logs if name in (None, log.stem)]
    if not logs:
        raise Obstacle("There are no logs yet: start with `make run`.")
    if not chosen:
        raise Obstacle(f"There is no log of {name}: there are {', '.join(x.stem for x in logs)}.")
    for log in chosen:
        console.rule(str(log), align="left")
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:]:
            console.print(line, markup=False, highlight=False, soft_wrap=True)


def stop(state: Path) -> None:
    """End the run of `state`, if there is one.

    Raises:
        Obstacle: it does not end.
    """
    pid = supervisor(state)
    if pid is None:
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_LIMIT_S
    while psutil.pid_exists(pid):
        if time.monotonic() > deadline:
            raise Obstacle(f"The run (process {pid}) does not end: `kill -9 {pid}` ends it.")
        time.sleep(0.1)


def reset(state: Path, cache: Path | None) -> Places:
    """End a run and delete its data, secrets and logs; the downloads stay.

    Returns: the places that were cleared.

    Raises:
        Obstacle: the run does not end.
    """
    stop(state)
    places = where(state, cache)
    shutil.rmtree(places.data, ignore_errors=True)
    for path in state.glob("*"):
        if path.name == "instances":
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    return places

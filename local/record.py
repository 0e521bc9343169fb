"""The record of what runs: `run.json` in the state folder, written by the supervisor."""

import json
import os
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path


class State(StrEnum):
    """What a program is doing."""

    PREPARING = "preparing"
    STARTING = "starting"
    READY = "ready"
    DEAD = "dead"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Entry:
    """One program: `started_at` is in seconds since the epoch, 0 if it never was."""

    name: str
    state: State
    pid: int | None
    port: int | None
    started_at: float
    restarts: int


def write(state: Path, entries: list[Entry]) -> None:
    """Replace the record, in one step so that a reader never sees half of it."""
    new = state / "run.json.new"
    record = {"supervisor": os.getpid(), "programs": [asdict(entry) for entry in entries]}
    new.write_text(json.dumps(record, indent=1), encoding="utf-8")
    new.replace(state / "run.json")


def read(state: Path) -> tuple[int | None, list[Entry]]:
    """Returns: the supervisor's process id (None: nothing ever ran here) and its programs."""
    try:
        record = json.loads((state / "run.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None, []
    entries = [Entry(**{**one, "state": State(one["state"])}) for one in record["programs"]]
    return record["supervisor"], entries

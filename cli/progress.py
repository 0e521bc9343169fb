"""How a batch on its way is shown: bars on a terminal, else a line now and then."""

import math
import time
from types import TracebackType
from typing import Final, Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.client import Json

_LINE_EVERY_S: Final = 5.0
_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_LARGER: Final = 3
"""Of so many the next larger unit is used."""


class Shown(Protocol):
    """Shows how far a batch is, again and again."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and leave the last state on the screen."""

    def step(self, what: str, done: int, total: int) -> None:
        """Show that so many of the files have been read, or uploaded."""

    def stands(self, batch: Json) -> None:
        """Show how a batch stands."""


def progress(console: Console, *, silent: bool) -> Shown:
    """Returns: what fits: nothing, bars, or lines."""
    if silent:
        return Nothing()
    return Bars(console) if console.is_terminal else Lines(console)


class Nothing:
    """Shows nothing, for machines."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, what: str, done: int, total: int) -> None:
        """Show nothing."""

    def stands(self, batch: Json) -> None:
        """Show nothing."""


class Lines:
    """Prints a line when something begins or ends, and every few seconds meanwhile."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._next_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def step(self, what: str, done: int, total: int) -> None:
        """Print how many files."""
        self._print(f"{what} {done} of {total}", now=done == total)

    def stands(self, batch: Json) -> None:
        """Print how many documents, the failed ones, the pace and the time left."""
        line = f"worked off {settled(batch)} of {batch['documents']}"
        ended = batch["state"] in {"completed", "cancelled"}
        self._print("  ".join(filter(None, (line, outlook(batch)))), now=ended)

    def _print(self, line: str, *, now: bool) -> None:
        if now or time.monotonic() >= self._next_at:
            self._next_at = time.monotonic() + _LINE_EVERY_S
            self._console.print(line, markup=False, soft_wrap=True)


class Bars:
    """A bar each for reading, uploading and working off."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:10}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, what: str, done: int, total: int) -> None:
        """Draw how many files."""
        self._draw(what, done, total)

    def stands(self, batch: Json) -> None:
        """Draw how many documents, the failed ones, the pace and the time left."""
        self._draw("worked off", settled(batch), batch["documents"], outlook(batch))

    def _draw(self, what: str, done: int, total: int, note: str = "") -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total, note="")
        task = self._progress.tasks[self._tasks[what]]
        self._progress.update(task.id, completed=done, total=total, note=note)


def settled(batch: Json) -> int:
    """Returns: how many documents of a batch have ended, well or not."""
    counts = batch["counts"]
    return int(counts["completed"] + counts["failed"] + counts["cancelled"])


def outlook(batch: Json) -> str:
    """Returns: failed documents, pace and time left, as far as there are any."""
    failed, pace, left = (
        batch["counts"]["failed"],
        batch["rate_per_minute"],
        batch["time_left_s"],
    )
    parts = [f"{failed} failed" if failed else ""]
    if batch["state"] not in {"completed", "cancelled"}:
        parts.append("" if pace is None else f"{pace:.0f} a minute")
        parts.append("" if left is None else f"{span(left['low'], left['high'])} left")
    return ", ".join(filter(None, parts))


def span(low: float, high: float) -> str:
    """Returns: an interval of seconds, rounded outwards, such as `40 to 70 s` or `2 to 4 min`."""
    for unit, size in (("h", _HOUR_S), ("min", _MINUTE_S)):
        if high >= _LARGER * size:
            return f"{math.floor(low / size)} to {math.ceil(high / size)} {unit}"
    return f"{math.floor(low)} to {math.ceil(high)} s"

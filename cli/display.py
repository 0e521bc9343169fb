"""How documents on their way are shown: a live table on a terminal, else a line a change."""

from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from cli.tracking import REFUSED, UPLOADING, Tracked
from schemas.states import Status

_COLOURS = {
    Status.COMPLETED: "green",
    Status.FAILED: "red",
    REFUSED: "red",
    Status.CANCELLED: "red",
    Status.WAITING: "magenta",
    Status.PROCESSING: "yellow",
}
_AROUND_THE_TABLE = 6
"""Lines of the terminal that the live table leaves free."""


class Display(Protocol):
    """Shows documents, again and again."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, and leave what is worth keeping on the screen."""

    def show(self, documents: Sequence[Tracked]) -> None:
        """Show how they are now."""


def display(console: Console, *, silent: bool = False) -> Display:
    """Returns: the display that fits: none, a table that moves, or lines."""
    if silent:
        return Nothing()
    return Moving(console) if console.is_terminal else Lines(console)


class Nothing:
    """Shows nothing, for machines."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, documents: Sequence[Tracked]) -> None:
        """Show nothing."""


class Lines:
    """Prints a line when a document's status changes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._said: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, documents: Sequence[Tracked]) -> None:
        """Print the changes since the last time."""
        for number, one in enumerate(documents):
            if self._said.get(number, UPLOADING) == one.status:
                continue
            self._said[number] = one.status
            parts = [one.name, one.status, *_findings(one)]
            self._console.print("  ".join(filter(None, parts)), markup=False, soft_wrap=True)


class Moving:
    """Bars and a table that are drawn again in place; the whole table stays in the end."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._documents: Sequence[Tracked] = ()
        self._progress = Progress(
            TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn(), console=console
        )
        self._sent = self._progress.add_task("uploaded", total=None)
        self._done = self._progress.add_task("worked off", total=None)
        self._live = Live(console=console, transient=True, auto_refresh=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()
        if self._documents:
            self._console.print(table(self._documents))

    def show(self, documents: Sequence[Tracked]) -> None:
        """Draw again."""
        self._documents = documents
        total = len(documents)
        sent = sum(one.document_id is not None or one.ended for one in documents)
        self._progress.update(self._sent, total=total, completed=sent)
        done = sum(one.ended for one in documents)
        self._progress.update(self._done, total=total, completed=done)
        room = max(3, self._console.height - _AROUND_THE_TABLE)
        self._live.update(self._drawn(documents, room), refresh=True)

    def _drawn(self, documents: Sequence[Tracked], room: int) -> RenderableType:
        return Group(self._progress, table(_most_telling(documents, room)))


def _most_telling(documents: Sequence[Tracked], room: int) -> Sequence[Tracked]:
    """Returns: those that fit, in their order; what moves is shown first, then what waits."""
    if len(documents) <= room:
        return documents

    def rank(number: int) -> tuple[int, int]:
        one = documents[number]
        if one.ended:
            return (2, -number)
        return (0 if one.step else 1, number)

    chosen = sorted(range(len(documents)), key=rank)[:room]
    return [documents[number] for number in sorted(chosen)]


def table(documents: Sequence[Tracked]) -> Table:
    """Returns: one row a document: name, status, step, type, confidence, whether to look at it."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    made.add_column("document", overflow="ellipsis", no_wrap=True, ratio=None)
    made.add_column("status", no_wrap=True)
    made.add_column("now", overflow="ellipsis", no_wrap=True)
    made.add_column("type", no_wrap=True)
    made.add_column("confidence", justify="right", no_wrap=True)
    made.add_column("", overflow="fold")
    for one in documents:
        made.add_row(
            Text(one.name),
            Text(one.status, style=_COLOURS.get(one.status, "")),
            Text(one.step),
            Text(one.detail.get("type") or ""),
            confidence(one.detail.get("confidence")),
            _remark(one),
        )
    return made


def confidence(value: float | None) -> Text:
    """Returns: a probability in colour: green from 0.8, yellow from 0.5, else red."""
    if value is None:
        return Text("")
    colour = "green" if value >= 0.8 else "yellow" if value >= 0.5 else "red"  # noqa: PLR2004
    return Text(f"{value:.2f}", style=colour)


def _remark(one: Tracked) -> Text:
    if one.problem:
        return Text(one.problem, style="red")
    if one.detail.get("needs_review"):
        return Text("needs review", style="yellow")
    return Text("")


def _findings(one: Tracked) -> list[str]:
    if one.problem:
        return [one.problem]
    if not one.succeeded:
        return [one.step]
    value = one.detail.get("confidence")
    return [
        str(one.detail.get("type") or ""),
        "" if value is None else f"{value:.2f}",
        "needs review" if one.detail.get("needs_review") else "",
    ]

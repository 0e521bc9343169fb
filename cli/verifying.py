"""Comparing the stores: a line a difference, a bar on a terminal, and an exit code."""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from sqlalchemy.exc import DBAPIError

from cli.terminal import console
from schemas.ids import uuid7
from streams.clients.producer import CommandPublisher
from streams.errors import Unavailable
from streams.settings import Settings
from streams.verify import Difference, Pace, found_in
from streams.verify import Progress as Compared
from streams.verify.repair import Repair
from streams.verify.stores import opened

_DIFFERS: Final = 1
_NOT_COMPARABLE: Final = 2


class Page(Protocol):
    """Where differences are shown."""

    def bar(self) -> AbstractContextManager[object]:
        """Returns: what is on the screen while the stores are compared."""

    def progress(self, compared: Compared) -> None:
        """Show how far it is."""

    def difference(self, each: Difference) -> None:
        """Show a difference."""

    def summary(self, certain: Counter[str], uncertain: Counter[str], mended: int) -> None:
        """Show the whole in a few lines."""


def page(*, as_json: bool, every: bool) -> Page:
    """Returns: lines of JSON, or text for people; `every` shows suspicions too."""
    return JSONLines(every=every) if as_json else Lines(console(), every=every)


def verify(settings: Settings, pace: Pace, shown: Page, *, repair: bool) -> None:
    """Compare, show and, if asked to, mend.

    Raises:
        typer.Exit: 1: something differs, and was not mended. 2: a store does not answer.
    """
    try:
        with shown.bar():
            left = asyncio.run(_verify(settings, pace, shown, repair=repair))
    except (Unavailable, DBAPIError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        print(f"error: the stores cannot be compared: {reason}", file=sys.stderr, flush=True)
        raise typer.Exit(_NOT_COMPARABLE) from None
    if left:
        raise typer.Exit(_DIFFERS)


async def _verify(settings: Settings, pace: Pace, shown: Page, *, repair: bool) -> int:
    """Returns: how many certain differences were not mended."""
    certain: Counter[str] = Counter()
    uncertain: Counter[str] = Counter()
    mended = 0
    found = _mended(settings, pace, shown) if repair else _found(settings, pace, shown)
    async for each in found:
        (certain if each.certain else uncertain)[each.kind.value] += 1
        mended += each.mended is not None
        shown.difference(each)
    shown.summary(certain, uncertain, mended)
    return certain.total() - mended


async def _found(settings: Settings, pace: Pace, shown: Page) -> AsyncIterator[Difference]:
    async with opened(settings, margin=pace.margin) as stores:
        async for each in found_in(stores, pace, tell=shown.progress):
            yield each


async def _mended(settings: Settings, pace: Pace, shown: Page) -> AsyncIterator[Difference]:
    async with opened(settings, margin=pace.margin) as stores:
        repair = Repair(stores, CommandPublisher(settings), name=f"verify_{uuid7().hex}")
        async for each in found_in(stores, pace, tell=shown.progress):
            yield await repair.mend(each)


class JSONLines:
    """A line of JSON a difference, and nothing else."""

    def __init__(self, *, every: bool) -> None:
        self._every = every

    def bar(self) -> AbstractContextManager[object]:
        """Returns: nothing to show."""
        return nullcontext()

    def progress(self, compared: Compared) -> None:
        """Show nothing."""

    def difference(self, each: Difference) -> None:
        """Print it."""
        if each.certain or self._every:
            print(json.dumps(each.to_json(), ensure_ascii=False), flush=True)

    def summary(self, certain: Counter[str], uncertain: Counter[str], mended: int) -> None:
        """Print nothing: whoever reads lines can count them."""


class Lines:
    """Lines for people, below a bar where there is a terminal."""

    def __init__(self, shown: Console, *, every: bool) -> None:
        self._console = shown
        self._every = every
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            console=shown,
            transient=True,
            disable=not shown.is_terminal,
        )
        self._task = self._bar.add_task("opening", total=None)

    def bar(self) -> AbstractContextManager[object]:
        """Returns: the bar."""
        return self._bar

    def progress(self, compared: Compared) -> None:
        """Move the bar."""
        self._bar.update(
            self._task,
            description=compared.name,
            total=compared.total,
            completed=compared.done,
        )

    def difference(self, each: Difference) -> None:
        """Print what differs, and what was or could be done."""
        if not each.certain and not self._every:
            return
        sure = "" if each.certain else "perhaps "
        self._print(f"{sure}{each.kind.value}  {each.subject}: {each.detail}")
        if each.certain:
            self._print(f"    mended: {each.mended}" if each.mended else f"    {each.remedy}")

    def summary(self, certain: Counter[str], uncertain: Counter[str], mended: int) -> None:
        """Print the counts."""
        if uncertain and not self._every:
            self._print(
                f"not judged: {_counts(uncertain)}. Records that are on their way may still change "
                "these; --all lists them."
            )
        if not certain:
            self._print("Postgres, ledger, index and object store agree")
            return
        told = f", {mended} of them mended; verify again once the workers are done" * bool(mended)
        plural = "" if certain.total() == 1 else "s"
        self._print(f"{certain.total()} difference{plural} ({_counts(certain)}){told}")

    def _print(self, line: str) -> None:
        self._bar.console.print(line, markup=False, soft_wrap=True)


def _counts(kinds: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))

"""Rebuilding the search index from the command line: a bar on a terminal, else a line now and then.

Writes rebuilds and OpenSearch through `streams.rebuild`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final, Self

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from cli.errors import Failure
from cli.terminal import console
from schemas.indexes import Vectors
from streams.clients import ollama
from streams.clients.ollama import Models, WrongModel
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.errors import Unavailable
from streams.rebuild.run import Progress as Shown
from streams.rebuild.run import RebuildRefused, Reindex
from streams.rebuild.sweep import Unsettled
from streams.settings import Settings

_CONNECTIONS: Final = 3
_LINE_EVERY_S: Final = 10.0
_INTERRUPTED: Final = 130


def run(settings: Settings, *, keep: bool) -> None:
    """Rebuild the index, or go on with the rebuild that was left.

    Raises:
        Failure: it cannot be done as things are.
    """

    async def act(reindex: Reindex, models: Models) -> str:
        await models.check_embeddings()
        name = await reindex.run(keep=keep)
        return f"{name} is live"

    _carried_out(settings, act)


def abort(settings: Settings) -> None:
    """Give up the rebuild that was left, and delete its index.

    Raises:
        Failure: there is none to give up, or it is at work.
    """

    async def act(reindex: Reindex, _: Models) -> str:
        name = await reindex.abort()
        return "no rebuild was left" if name is None else f"{name} is given up"

    _carried_out(settings, act)


def _carried_out(settings: Settings, act: Callable[[Reindex, Models], Awaitable[str]]) -> None:
    shown = console()

    async def carry_out() -> str:
        with Bar(shown) if shown.is_terminal else Lines(shown) as progress:
            async with _opened(settings, progress) as (reindex, models):
                return await act(reindex, models)

    try:
        print(asyncio.run(carry_out()), flush=True)
    except KeyboardInterrupt:
        print("stopped; `actionstream reindex` goes on from here", flush=True)
        raise typer.Exit(_INTERRUPTED) from None
    except (RebuildRefused, Unavailable, WrongModel, Unsettled) as error:
        raise Failure(str(error)) from None


@asynccontextmanager
async def _opened(settings: Settings, progress: Shown) -> AsyncIterator[tuple[Reindex, Models]]:
    """Yield what rebuilds, and the models; close their connections in the end."""
    async with AsyncExitStack() as stack:
        url = settings.database_url.get_secret_value()
        database = Database.connect(url, pool=_CONNECTIONS)
        stack.push_async_callback(database.close)
        search = SearchIndex.connect(settings)
        stack.push_async_callback(search.close)
        models = ollama.of(settings)
        stack.push_async_callback(models.close)
        wanted = Vectors(settings.embedding_model, settings.embedding_dimensions)
        yield Reindex(database, search, models, wanted, progress), models


class Bar:
    """A bar that moves, with what is said above it."""

    def __init__(self, shown: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description:15}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=shown,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, doing: str, done: int, total: int) -> None:
        """Move the bar of what is being done."""
        if doing not in self._tasks:
            self._tasks[doing] = self._progress.add_task(doing, completed=done, total=total)
        self._progress.update(self._tasks[doing], completed=done, total=total)

    def say(self, line: str) -> None:
        """Print a line above the bars."""
        self._progress.console.print(line, markup=False, soft_wrap=True)


class Lines:
    """A line whenever something begins or ends, and every few seconds in between."""

    def __init__(self, shown: Console) -> None:
        self._console = shown
        self._doing = ""
        self._said_at = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def show(self, doing: str, done: int, total: int) -> None:
        """Print how far it is, unless it was said a moment ago."""
        recently = time.monotonic() - self._said_at < _LINE_EVERY_S
        if doing == self._doing and recently and done < total:
            return
        self._doing = doing
        self._said_at = time.monotonic()
        self.say(f"{doing}: {done} of {total} texts")

    def say(self, line: str) -> None:
        """Print a line."""
        self._console.print(line, markup=False, soft_wrap=True)

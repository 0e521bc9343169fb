"""Running stages again: which documents, how fast, how far it is, and what became of them."""

import asyncio
import re
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from cli.errors import Failure
from cli.terminal import console
from schemas.ids import Ids, uuid7
from schemas.states import Status
from streams.clients.postgres import Database
from streams.clients.producer import CommandPublisher
from streams.errors import Unavailable
from streams.replay import Choice, Replay, Stage, Standing
from streams.settings import Settings

T = TypeVar("T")

_AGO: Final = re.compile(r"(?P<count>\d{1,6})(?P<unit>[mhd])")
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A replay as it was asked for."""

    stage: Stage
    choice: Choice
    per_second: int
    name: str


def choice(
    *,
    since: str | None,
    until: str | None,
    type_: str | None,
    status: str | None,
    documents: tuple[str, ...],
) -> Choice:
    """Returns: the documents that the options mean.

    Raises:
        Failure: neither a time nor a document is given, or a time cannot be read.
    """
    if since is None and not documents:
        raise Failure("say which documents: --since, such as 2026-11-01 or 3d, or --document")
    statuses = (Status.COMPLETED, Status.FAILED) if status is None else (Status(status),)
    return Choice(
        since=None if since is None else moment(since),
        until=None if until is None else moment(until),
        type=type_,
        statuses=statuses,
        document_ids=documents,
    )


def moment(text: str) -> datetime:
    """Returns: a time: ISO 8601, in UTC where it names no zone, or so long ago (`90m`, `3d`).

    Raises:
        Failure: it is neither.
    """
    if ago := _AGO.fullmatch(text):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago["unit"]]: int(ago["count"])})
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise Failure(f"{text!r} is no time; write 2026-11-01, 2026-11-01T12:00Z or 3d") from None
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def named(name: str | None) -> str:
    """Returns: the replay's id, a new one where none is given. Raises: Failure: it is malformed."""
    if name is None:
        return f"replay_{uuid7().hex}"
    if not _NAME.fullmatch(name):
        raise Failure("--id takes letters, digits, `.`, `_` and `-`, at most 64")
    return name


def count(settings: Settings, wanted: Wanted) -> None:
    """Print how many documents are chosen."""
    found = _answered(_count(settings, wanted))
    print(f"{found} documents would run again from `{wanted.stage}`")


def run(settings: Settings, wanted: Wanted, *, ask: bool, wait: bool) -> None:
    """Ask, publish, and follow.

    Raises:
        typer.Exit: 1: a document failed.
        Failure: Postgres or Kafka does not answer.
    """
    found = _answered(_count(settings, wanted))
    print(f"replay {wanted.name}: {found} documents from `{wanted.stage}`", flush=True)
    if found and ask:
        typer.confirm("Run them again?", abort=True)
    standing = _answered(_run(settings, wanted, found, wait=wait))
    begun = standing.published
    print(f"{begun} begun; --id {wanted.name} goes on with this replay, and begins none twice")
    if wait:
        _print_ends(standing)


def _print_ends(standing: Standing) -> None:
    ended = ", ".join(f"{count} {status}" for status, count in sorted(standing.ended.items()))
    print(f"ended: {ended or 'none'}")
    for code, times in standing.problems.most_common():
        print(f"  {code}: {times}")
    if standing.ended.total() > standing.ended[Status.COMPLETED]:
        raise typer.Exit(1)


def _answered(work: Coroutine[None, None, T]) -> T:
    try:
        return asyncio.run(work)
    except Unavailable as error:
        raise Failure(f"{error}; what was begun goes on, repeat with the same --id") from None


@asynccontextmanager
async def _opened(settings: Settings, wanted: Wanted) -> AsyncIterator[Replay]:
    database = Database.connect(settings.database_url.get_secret_value(), pool=2)
    ids = Ids(settings.id_secret.get_secret_value())
    publisher = CommandPublisher(settings)
    try:
        yield Replay(database, publisher, ids, name=wanted.name, stage=wanted.stage)
    finally:
        await database.close()


async def _count(settings: Settings, wanted: Wanted) -> int:
    async with _opened(settings, wanted) as replay:
        return await replay.count(wanted.choice)


async def _run(settings: Settings, wanted: Wanted, total: int, *, wait: bool) -> Standing:
    shown = console()
    bars = Progress(
        TextColumn("{task.description:10}"),
        BarColumn(),
        MofNCompleteColumn(),
        console=shown,
        transient=True,
        disable=not shown.is_terminal,
    )
    begun, ended = (bars.add_task(name, total=total) for name in ("begun", "ended"))

    def tell(standing: Standing) -> None:
        bars.update(begun, completed=len(standing.waiting) + standing.ended.total())
        bars.update(ended, completed=standing.ended.total())

    with bars:
        async with _opened(settings, wanted) as replay:
            await replay.publish(wanted.choice, per_second=wanted.per_second, tell=tell)
            if wait:
                await replay.follow(tell=tell)
            return replay.standing

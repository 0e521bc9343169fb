"""Backups from the command line: sentences for people, JSON for machines, and exit codes.

Exit codes: 1 what was wanted failed or a backup is bad, 2 it could not be found out, 3 another
process is at it.
"""

import asyncio
import re
import signal
import sys
from collections.abc import Coroutine, Sequence
from typing import Any, Final, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from cli.terminal import console, print_json
from streams.backup import address
from streams.backup.create import create as made
from streams.backup.drill import Report
from streams.backup.drill import drill as drilled
from streams.backup.errors import BackupError, BadBackup, Busy
from streams.backup.manifest import Backup, Manifest, Verdict
from streams.backup.programs import Programs
from streams.backup.prune import Pruned
from streams.backup.prune import prune as pruned
from streams.backup.restore import chosen, revoke_keys
from streams.backup.restore import restore as restored
from streams.backup.settings import BackupSettings
from streams.backup.target import opened, stored
from streams.backup.turn import turn
from streams.backup.verify import verify as verified

T = TypeVar("T")

_BAD: Final = 1
_NOT_FOUND_OUT: Final = 2
_BUSY: Final = 3
_TERMINATED: Final = 143
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")


def database_name(name: str) -> str:
    """Returns: the name. Raises: typer.BadParameter: Postgres would cut or not take it."""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter(
            "a database's name here has 63 letters, digits, - and _ at most, and begins with a "
            "letter"
        )
    return name


def create(settings: BackupSettings, *, as_json: bool) -> None:
    """Make a backup and say what it holds."""

    async def work() -> Manifest:
        async with opened(settings) as target, turn(settings):
            return await made(settings, target)

    manifest = _done(work())
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    print(
        f"{manifest.name}: {_bytes(manifest.size_bytes)}, {sum(manifest.tables.values())} rows of "
        f"{len(manifest.tables)} tables, in {manifest.duration_s:.1f} s; read back and good",
        flush=True,
    )


def show(settings: BackupSettings, *, as_json: bool) -> None:
    """Print the backups, the newest first."""

    async def work() -> list[Backup]:
        async with opened(settings) as target:
            return await stored(target)

    backups = _done(work())[::-1]
    if as_json:
        print_json([_to_json(one) for one in backups])
        return
    table = Table("name", "size", "rows", "seconds", "revision", "state", box=None, pad_edge=False)
    for one in backups:
        manifest = one.manifest
        figures = ("", "", "", "")
        if manifest is not None:
            rows = str(sum(manifest.tables.values()))
            seconds = f"{manifest.duration_s:.1f}"
            figures = (_bytes(manifest.size_bytes), rows, seconds, manifest.revision)
        state = f"good on {one.checked_at:%Y-%m-%d %H:%M}" if one.good else f"bad: {one.flaw}"
        table.add_row(one.name, *figures, Text(state, overflow="fold"))
    console().print(table)
    if not backups:
        print("there is no backup yet", flush=True)


def verify(settings: BackupSettings, name: str | None, *, every: bool, as_json: bool) -> None:
    """Read backups again; exit code 1 if one is bad."""

    async def work() -> list[tuple[str, Verdict]]:
        async with opened(settings) as target:
            backups = await stored(target) if every else [await chosen(target, name)]
            programs = Programs(settings.postgres_bin)
            return [(one.name, await verified(target, programs, one)) for one in backups]

    found = _done(work(), otherwise=_NOT_FOUND_OUT)
    if as_json:
        print_json([{"name": one, **verdict.model_dump(mode="json")} for one, verdict in found])
    else:
        for one, verdict in found:
            print(f"{one}: {f'bad: {verdict.flaw}' if verdict.flaw else 'good'}", flush=True)
    if any(verdict.flaw for _, verdict in found):
        raise typer.Exit(_BAD)


def restore(
    settings: BackupSettings, name: str | None, into: str, keep: Sequence[str] | None
) -> None:
    """Restore a backup and say what came of it; of its keys these are kept, or all where none."""

    async def work() -> tuple[Manifest, int | None]:
        async with opened(settings) as target:
            manifest = (await chosen(target, name)).known()
            live = address.of(settings)
            await restored(target, Programs(settings.postgres_bin), manifest, live, into)
            return manifest, None if keep is None else await revoke_keys(live, into, keep)

    manifest, revoked = _done(work())
    print(
        f"{manifest.name} is restored into the database {into}: "
        f"{sum(manifest.tables.values())} rows of {len(manifest.tables)} tables",
        flush=True,
    )
    if revoked is None:
        print(
            f"keys and GPTs are as they were at {manifest.started_at:%Y-%m-%d %H:%M} UTC: what was "
            "revoked, rotated, disabled or deleted since opens again (see --revoke-keys)",
            flush=True,
        )
    else:
        print(f"{revoked} keys are revoked", flush=True)


def prune(settings: BackupSettings, *, as_json: bool) -> None:
    """Delete what is not kept, and say what that was."""

    async def work() -> Pruned:
        async with opened(settings) as target, turn(settings):
            return await pruned(settings, target)

    done = _done(work())
    if as_json:
        print_json({"backups": done.backups, "unfinished": done.unfinished})
        return
    for name in done.backups:
        print(f"deleted {name}", flush=True)
    for name in done.unfinished:
        print(f"deleted {name}, which was never finished", flush=True)
    if not done.backups and not done.unfinished:
        print("nothing to delete", flush=True)


def drill(settings: BackupSettings, name: str | None, *, as_json: bool) -> None:
    """Hold a drill and report; exit code 1 if something differs."""

    async def work() -> Report:
        async with opened(settings) as target:
            return await drilled(settings, target, name)

    report = _done(work(), otherwise=_NOT_FOUND_OUT)
    if as_json:
        print_json(report.to_json())
    else:
        print(
            f"{report.name}: restored in {report.restored_s:.1f} s, migrated from "
            f"{report.revision} to {report.migrated_to} in {report.migrated_s:.1f} s, "
            f"{report.rows} rows of {report.tables} tables compared",
            flush=True,
        )
        for line in report.differences or ["all is there"]:
            print(line, flush=True)
    if report.differences:
        raise typer.Exit(_BAD)


def _done(work: Coroutine[Any, Any, T], *, otherwise: int = _BAD) -> T:
    """Returns: what the work returns; SIGTERM lets it clean up behind itself.

    Raises: typer.Exit: `otherwise` where it failed, 1 where a backup is bad, 3 where another
        process is at it.
    """

    async def stoppable() -> T:
        task = asyncio.ensure_future(work)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await task

    try:
        return asyncio.run(stoppable())
    except BackupError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        code = _BUSY if isinstance(error, Busy) else otherwise
        raise typer.Exit(_BAD if isinstance(error, BadBackup) else code) from None
    except asyncio.CancelledError:
        raise typer.Exit(_TERMINATED) from None


def _to_json(backup: Backup) -> dict[str, Any]:
    manifest = backup.manifest
    return {
        "name": backup.name,
        "good": backup.good,
        "flaw": backup.flaw,
        "checked_at": None if backup.checked_at is None else backup.checked_at.isoformat(),
        "manifest": None if manifest is None else manifest.model_dump(mode="json"),
    }


def _bytes(size: int) -> str:
    units = ("bytes", "KiB", "MiB", "GiB", "TiB")
    step = min(max(size.bit_length() - 1, 0) // 10, len(units) - 1)
    return f"{size / 1024**step:.{1 if step else 0}f} {units[step]}"

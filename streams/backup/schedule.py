"""The schedule: a backup every night, then all that keeps backups good, in a process of its own."""

import asyncio
import signal
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Final

import structlog
from prometheus_client import start_http_server

from streams import logs
from streams.backup import metrics
from streams.backup.create import create
from streams.backup.errors import BackupError, Busy
from streams.backup.manifest import Backup, newest_good
from streams.backup.prune import prune
from streams.backup.retention import surplus
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, opened, stored
from streams.backup.turn import turn
from streams.backup.upkeep import look_after
from streams.startup import done_before

log = structlog.get_logger()

LOOK_EVERY: Final = timedelta(minutes=5)
"""How often the target is looked at, for the metrics and for backups that others made."""
_LEAST: Final = timedelta(seconds=1)


def run(settings: BackupSettings) -> None:
    """Make backups until SIGTERM or SIGINT; one that is being made then is given up."""
    logs.configure(settings)
    if settings.metrics_port:
        start_http_server(settings.metrics_port, addr=settings.metrics_host)
    asyncio.run(_run(settings))


def due(backups: Sequence[Backup], at: time, now: datetime) -> datetime:
    """Returns: when the next backup is to be made, UTC; in the past where a night was missed.

    Without any good backup that is now. One that was made by hand during the day does not stand in
    for the next night's.
    """
    newest = newest_good(backups)
    if newest is None:
        return now
    night = datetime.combine(newest.started_at.date(), at, UTC)
    return night if night > newest.started_at else night + timedelta(days=1)


async def _run(settings: BackupSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    while await done_before(stop, _round(settings)):
        pass


async def _round(settings: BackupSettings) -> None:
    """Make a backup if it is time, then wait until it is worth while to look again."""
    pause = LOOK_EVERY
    try:
        async with opened(settings) as target:
            await keep_up(settings, target)
            backups = await stored(target)
        metrics.show(backups)
        now = datetime.now(UTC)
        pause = min(LOOK_EVERY, due(backups, settings.backup_at, now) - now)
    except Busy:
        log.info("another process makes a backup")
    except BackupError as error:
        metrics.FAILED.inc()
        log.error("backup failed", reason=str(error))  # noqa: TRY400 - the sentence says it all
    await asyncio.sleep(max(pause, _LEAST).total_seconds())


async def keep_up(settings: BackupSettings, target: Target) -> None:
    """Make a backup if one is due, and see to all others then; prune whenever there is surplus.

    It is the same for any number of processes. What could not be pruned is tried again by the next
    call, whether a backup is due or not.

    Raises: BackupError: something could not be done, or another process is at it.
    """
    backups = await stored(target)
    metrics.show(backups)
    made = _is_due(settings, backups) and await _made(settings, target)
    if made:
        metrics.show(await stored(target))
        await look_after(settings, target)
    keep = {"keep_days": settings.backup_keep_days, "keep_count": settings.backup_keep_count}
    if made or surplus(await stored(target), now=datetime.now(UTC), **keep):
        async with turn(settings):
            pruned = await prune(settings, target)
        log.info("backups pruned", removed=pruned.backups, unfinished=pruned.unfinished)


def _is_due(settings: BackupSettings, backups: Sequence[Backup]) -> bool:
    now = datetime.now(UTC)
    return due(backups, settings.backup_at, now) <= now


async def _made(settings: BackupSettings, target: Target) -> bool:
    """Returns: whether this process made it; whoever had the turn before may have meanwhile."""
    async with turn(settings):
        if not _is_due(settings, await stored(target)):
            return False
        made = await create(settings, target)
    log.info("backup made", name=made.name, bytes=made.size_bytes, seconds=made.duration_s)
    return True

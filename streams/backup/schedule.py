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
PRUNE_AGAIN: Final = timedelta(hours=1)
"""Where deleting is refused it stays so for a while, and each try counts as a failure."""
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
    schedule = Schedule(settings)
    while await done_before(stop, schedule.round()):
        pass


class Schedule:
    """What one process does; it is the same for any number of them."""

    def __init__(self, settings: BackupSettings) -> None:
        self._settings = settings
        self._prune_from = datetime.min.replace(tzinfo=UTC)

    async def round(self) -> None:
        """Make a backup if it is time, then wait until it is worth while to look again."""
        pause = LOOK_EVERY
        try:
            async with opened(self._settings) as target:
                backups = await self.keep_up(target, datetime.now(UTC))
            now = datetime.now(UTC)
            pause = due(backups, self._settings.backup_at, now) - now
        except Busy:
            log.info("another process makes a backup")
        except BackupError as error:
            metrics.FAILED.inc()
            log.error("backup failed", reason=str(error))  # noqa: TRY400 - the sentence says it all
        await asyncio.sleep(max(min(pause, LOOK_EVERY), _LEAST).total_seconds())

    async def keep_up(self, target: Target, now: datetime) -> Sequence[Backup]:
        """Make a backup if one is due, and see to all others then; prune whenever there is surplus.

        What could not be pruned is tried again by a call an hour later, whether a backup is due or
        not.

        Returns: what the target has now.
        Raises: BackupError: something could not be done, or another process is at it.
        """
        backups = await _seen(target)
        made = self._is_due(backups, now) and await self._made(target, now)
        if made:
            await _seen(target)
            await look_after(self._settings, target)
            backups = await _seen(target)
        if made or (now >= self._prune_from and self._surplus(backups, now)):
            self._prune_from = now + PRUNE_AGAIN
            async with turn(self._settings):
                pruned = await prune(self._settings, target)
            log.info("backups pruned", removed=pruned.backups, unfinished=pruned.unfinished)
            backups = await _seen(target)
        return backups

    def _is_due(self, backups: Sequence[Backup], now: datetime) -> bool:
        return due(backups, self._settings.backup_at, now) <= now

    def _surplus(self, backups: Sequence[Backup], now: datetime) -> Sequence[Backup]:
        days, count = self._settings.backup_keep_days, self._settings.backup_keep_count
        return surplus(backups, now=now, keep_days=days, keep_count=count)

    async def _made(self, target: Target, now: datetime) -> bool:
        """Returns: whether this process made it; whoever had the turn before may have meanwhile."""
        async with turn(self._settings):
            if not self._is_due(await stored(target), now):
                return False
            made = await create(self._settings, target)
        log.info("backup made", name=made.name, bytes=made.size_bytes, seconds=made.duration_s)
        return True


async def _seen(target: Target) -> Sequence[Backup]:
    """Returns: what the target has, which the metrics tell from then on."""
    backups = await stored(target)
    metrics.show(backups)
    return backups

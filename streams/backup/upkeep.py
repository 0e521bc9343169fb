"""What is done at night for the backups that are there: reading them again, and a drill."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from streams.backup import metrics
from streams.backup.drill import drill
from streams.backup.errors import BackupError
from streams.backup.manifest import rehearsed_at
from streams.backup.programs import Programs
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, stored
from streams.backup.turn import turn
from streams.backup.verify import verify

log = structlog.get_logger()

_READ_EVERY: Final = timedelta(days=7)
_HALF_A_DAY: Final = timedelta(hours=12)
"""So that the seventh night counts, at whatever minute it comes."""


async def look_after(settings: BackupSettings, target: Target) -> None:
    """Read again what nobody has read for a week, and hold a drill if it is time for one.

    What fails is said and counted, and tried again the next night: a backup was made, and pruning
    must not wait for it. That holds for what nobody expected too: the next night's backup matters
    more than a process that ends.
    """
    now = datetime.now(UTC)
    for work in (_read_again, _rehearse):
        with _failures_counted("backups not looked after"):
            await work(settings, target, now)


@contextmanager
def _failures_counted(event: str, **about: str) -> Iterator[None]:
    try:
        yield
    except BackupError as error:
        metrics.FAILED.inc()
        log.error(event, reason=str(error), **about)  # noqa: TRY400 - the sentence says it all
    except Exception:
        metrics.FAILED.inc()
        log.exception(event, **about)


async def _read_again(settings: BackupSettings, target: Target, now: datetime) -> None:
    # With the turn, so that none is deleted while it is read.
    async with turn(settings):
        for one in await stored(target):
            if one.checked_at is not None and one.checked_at > now - _READ_EVERY + _HALF_A_DAY:
                continue
            # One that cannot be read, tonight or ever, keeps none from being read.
            with _failures_counted("backup not read again", name=one.name):
                verdict = await verify(target, Programs(settings.postgres_bin), one)
                if verdict.flaw is not None:
                    log.error("backup is bad", name=one.name, flaw=verdict.flaw)


async def _rehearse(settings: BackupSettings, target: Target, now: datetime) -> None:
    every = timedelta(days=settings.backup_drill_days)
    last = rehearsed_at(await stored(target))
    if not every or (last is not None and last > now - every + _HALF_A_DAY):
        return
    report = await drill(settings, target)
    if report.differences:
        metrics.FAILED.inc()
        log.error("drill found differences", name=report.name, differences=report.differences)
    else:
        log.info("drill held", name=report.name, rows=report.rows, seconds=report.restored_s)

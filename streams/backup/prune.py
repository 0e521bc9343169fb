"""Deleting what retention does not keep, once a good backup among those kept is certain."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from streams.backup.manifest import newest_good
from streams.backup.programs import Programs
from streams.backup.retention import surplus
from streams.backup.settings import BackupSettings
from streams.backup.target import Target, stored
from streams.backup.verify import verify

UNFINISHED_AFTER: Final = timedelta(days=1)
"""Age from which a dump without manifest is no longer being made."""
_CERTAIN_FOR: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Pruned:
    """The names of what was deleted: backups, and what never became one."""

    backups: list[str]
    unfinished: list[str]


async def prune(settings: BackupSettings, target: Target, now: datetime | None = None) -> Pruned:
    """Delete surplus backups and what was left of unfinished ones; whoever calls holds the turn.

    Raises: BackupFailed: the target does not answer or refuses; what was deleted stays deleted.
    """
    now = now or datetime.now(UTC)
    unfinished = list(await target.sweep(now - UNFINISHED_AFTER))
    removed = []
    for name in await _surplus(settings, target, now):
        await target.remove(name)
        removed.append(name)
    return Pruned(removed, unfinished)


async def _surplus(settings: BackupSettings, target: Target, now: datetime) -> list[str]:
    """Returns: what is to be deleted, after a good one that stays was seen within a day."""
    while True:
        backups = await stored(target)
        chosen = surplus(
            backups,
            now=now,
            keep_days=settings.backup_keep_days,
            keep_count=settings.backup_keep_count,
        )
        newest = newest_good(backups)
        if not chosen or newest is None:
            return []
        seen_at = newest.checked_at
        certain = seen_at is not None and abs(now - seen_at) < _CERTAIN_FOR
        if certain or (await verify(target, Programs(settings.postgres_bin), newest)).flaw is None:
            return [one.name for one in chosen]

"""Which backups are kept: the young ones, a number of good ones, and always the last good one."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from streams.backup.manifest import Backup


def surplus(
    backups: Sequence[Backup], *, now: datetime, keep_days: int, keep_count: int
) -> list[Backup]:
    """Choose what may be deleted.

    Args:
        backups: all that the target has, in any order.
        now: with time zone.
        keep_days: whatever is younger stays, good or not.
        keep_count: so many of the newest good ones stay, however old; at least one.

    Returns: what neither rule keeps, the oldest first. Nothing while there is no good one: what is
        left may be all that there is.
    """
    newest_first = sorted(backups, key=lambda one: one.name, reverse=True)
    good = [one for one in newest_first if one.good]
    if not good:
        return []
    kept = {one.name for one in good[: max(keep_count, 1)]}
    since = now - timedelta(days=keep_days)
    return [
        one for one in reversed(newest_first) if one.name not in kept and one.started_at <= since
    ]

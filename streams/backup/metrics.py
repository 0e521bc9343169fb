"""Every metric of the schedule of backups, with its unit and what to do when it looks wrong.

Those of the newest backup are read from its manifest, so they hold after a restart, and whoever
made it.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge

from streams.backup.manifest import Backup, newest_good, rehearsed_at

SUCCESS: Final = Gauge(
    "actionstream_backup_success_timestamp_seconds",
    "When the newest good backup was finished, in Unix time; 0 if there is none. More than 26 "
    "hours ago: the log of `actionstream backup schedule` says why.",
)
DURATION: Final = Gauge(
    "actionstream_backup_duration_seconds",
    "Seconds that the newest good backup took, reading it back included.",
)
SIZE: Final = Gauge(
    "actionstream_backup_size_bytes",
    "Bytes of the newest good backup. Much less than the one before: something was deleted.",
)
STORED: Final = Gauge(
    "actionstream_backups",
    "Backups at the target, by whether they are good. Any `bad`: `actionstream backup list`.",
    ("state",),
)
CHECKED: Final = Gauge(
    "actionstream_backup_checked_timestamp_seconds",
    "When that backup was read and compared which has been waiting for it the longest; 0 if there "
    "is none. More than 9 days ago: `actionstream backup verify --all` says why.",
)
REHEARSED: Final = Gauge(
    "actionstream_backup_drill_success_timestamp_seconds",
    "When a drill last found all there; 0 if none did, or its backup is gone. More days ago than "
    "ACTIONSTREAM_BACKUP_DRILL_DAYS and two: `actionstream backup drill` says why.",
)
FAILED: Final = Counter(
    "actionstream_backup_failures_total",
    "Times that backups could not be made, pruned, read again or rehearsed since the schedule was "
    "started, or a drill found differences.",
)


def show(backups: Sequence[Backup]) -> None:
    """Set all but the failures by what the target has."""
    newest = newest_good(backups)
    manifest = None if newest is None else newest.manifest
    SUCCESS.set(0 if manifest is None else manifest.finished_at.timestamp())
    DURATION.set(0 if manifest is None else manifest.duration_s)
    SIZE.set(0 if manifest is None else manifest.size_bytes)
    CHECKED.set(min((_seconds(one.checked_at) for one in backups), default=0))
    REHEARSED.set(_seconds(rehearsed_at(backups)))
    good = sum(one.good for one in backups)
    STORED.labels("good").set(good)
    STORED.labels("bad").set(len(backups) - good)


def _seconds(moment: datetime | None) -> float:
    return 0 if moment is None else moment.timestamp()

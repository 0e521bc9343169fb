"""Every metric of the schedule of backups, with its unit and what to do when it looks wrong.

Those of the newest backup are read from its manifest, so they hold after a restart, and whoever
made it.
"""

from collections.abc import Sequence
from typing import Final

from prometheus_client import Counter, Gauge

from streams.backup.manifest import Backup, newest_good

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
FAILED: Final = Counter(
    "actionstream_backup_failures_total",
    "Times that a backup could not be made or pruned since the schedule was started.",
)


def show(backups: Sequence[Backup]) -> None:
    """Set all but the failures by what the target has."""
    newest = newest_good(backups)
    manifest = None if newest is None else newest.manifest
    SUCCESS.set(0 if manifest is None else manifest.finished_at.timestamp())
    DURATION.set(0 if manifest is None else manifest.duration_s)
    SIZE.set(0 if manifest is None else manifest.size_bytes)
    good = sum(one.good for one in backups)
    STORED.labels("good").set(good)
    STORED.labels("bad").set(len(backups) - good)

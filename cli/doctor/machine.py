"""Checks of this machine: room on its disks."""

import asyncio
import shutil
import tempfile
from pathlib import Path

from cli.doctor.check import Check, Wrong
from cli.settings import PROJECT
from streams.settings import Settings

LEAST_FREE_BYTES = 2 * 1024**3
"""Below this a batch of large documents, or a server's log, fills the disk."""
_GIB = 1024**3


def checks(settings: Settings) -> tuple[Check, ...]:
    """Returns: the checks of the disks that a worker and a local run write to."""
    work = settings.work_dir or Path(tempfile.gettempdir())
    remedy = "free some space, or set ACTIONSTREAM_WORK_DIR to another disk"
    return (Check("disk", lambda: asyncio.to_thread(_room, (work, PROJECT)), remedy),)


def _room(folders: tuple[Path, ...]) -> str:
    said = []
    for folder in folders:
        free = shutil.disk_usage(folder).free
        if free < LEAST_FREE_BYTES:
            raise Wrong(f"{folder} has only {free / _GIB:.1f} GiB left")
        said.append(f"{folder} {free / _GIB:.0f} GiB free")
    return ", ".join(said)

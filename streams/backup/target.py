"""Where backups are kept, whichever kind of place it is."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from streams.backup.bucket import Bucket
from streams.backup.errors import BackupFailed, Missing
from streams.backup.folder import Folder
from streams.backup.manifest import (
    MANIFEST,
    REHEARSAL,
    VERDICT,
    Backup,
    Manifest,
    Rehearsal,
    Verdict,
)
from streams.backup.settings import BackupSettings
from streams.clients import s3

M = TypeVar("M", bound=BaseModel)

_S3: Final = "s3://"
_LONGEST_NOTE: Final = 16 * 1024**2
"""Of a manifest in bytes; what is longer was not written by us."""


class Target(Protocol):
    """A place for backups, each of a few files; every call may raise `BackupFailed`."""

    async def check(self) -> None:
        """Raises: BackupFailed: the place is missing or may not be written to."""

    async def write(self, name: str, part: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a file of a backup; it appears whole or not at all."""

    def read(self, name: str, part: str) -> AsyncIterator[bytes]:
        """Yield the bytes of a file. Raises: Missing: there is none."""

    async def publish(self, name: str) -> None:
        """Make what was written a backup, now that its manifest is there."""

    async def names(self) -> Sequence[str]:
        """Returns: the backups, the oldest first; nothing that is unfinished."""

    async def remove(self, name: str) -> None:
        """Delete a backup, finished or not."""

    async def sweep(self, before: datetime) -> Sequence[str]:
        """Delete what never became a backup and was last written before a time."""


@asynccontextmanager
async def opened(settings: BackupSettings) -> AsyncIterator[Target]:
    """Yield the place that the settings name.

    Raises: BackupFailed: none is named, it is missing, or it does not answer.
    """
    place = settings.backup_target
    if not place:
        raise BackupFailed("set ACTIONSTREAM_BACKUP_TARGET to s3://bucket/prefix or a folder")
    if not place.startswith(_S3):
        folder = Folder(Path(place))
        await folder.check()
        yield folder
        return
    name, _, prefix = place.removeprefix(_S3).partition("/")
    async with s3.connected(settings) as client:
        bucket = Bucket(client, name, prefix)
        await bucket.check()
        yield bucket


async def stored(target: Target) -> list[Backup]:
    """Returns: all backups that the target has, the oldest first.

    Raises: BackupFailed: it does not answer.
    """
    return [
        Backup(
            name,
            await _note(target, name, MANIFEST, Manifest),
            await _note(target, name, VERDICT, Verdict),
            await _note(target, name, REHEARSAL, Rehearsal),
        )
        for name in await target.names()
    ]


async def write_note(target: Target, name: str, part: str, note: BaseModel) -> None:
    """Write a manifest, a verdict or what a drill found. Raises: BackupFailed."""

    async def content() -> AsyncIterator[bytes]:
        yield note.model_dump_json(indent=2).encode()

    await target.write(name, part, content())


async def _note(target: Target, name: str, part: str, model: type[M]) -> M | None:
    """Returns: what a file says; None where there is none, or it is none that we can read."""
    content = bytearray()
    try:
        async for chunk in target.read(name, part):
            content += chunk
            if len(content) > _LONGEST_NOTE:
                return None
        return model.model_validate_json(content)
    except (Missing, ValidationError):
        return None

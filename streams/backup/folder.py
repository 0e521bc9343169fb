"""Backups in a folder: each a folder of its own, which gets its name last."""

import asyncio
import errno
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from streams.backup.errors import BackupFailed, Missing
from streams.backup.manifest import NAME

_CHUNK_BYTES: Final = 1024**2
_PARTIAL: Final = ".partial"
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class Folder:
    """A folder that only its owner can read into; it must be there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def check(self) -> None:
        """Raises: BackupFailed: the folder is missing or cannot be written to."""
        if not self._root.is_dir():
            raise BackupFailed(
                f"the folder {self._root} of ACTIONSTREAM_BACKUP_TARGET is missing: make it, or "
                "mount its disk"
            )
        if not os.access(self._root, os.W_OK | os.X_OK):
            raise BackupFailed(f"the folder {self._root} cannot be written to by this user")

    async def write(self, name: str, part: str, chunks: AsyncIterator[bytes]) -> None:
        """Write a file of a backup; it appears whole, safe on the disk, or not at all.

        Raises: BackupFailed: the disk is full or fails; and whatever `chunks` raises.
        """
        with self._failures():
            place = self._place(name)
            place.mkdir(mode=0o700, exist_ok=True)
            partial = place / f"{part}{_PARTIAL}"
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            partial.rename(place / part)
            _sync(place)

    async def read(self, name: str, part: str) -> AsyncIterator[bytes]:
        """Yield the bytes of a file.

        Raises: Missing: there is none. BackupFailed: the disk fails.
        """
        with self._failures():
            try:
                file = (self._place(name) / part).open("rb")
            except FileNotFoundError as error:
                raise Missing(f"{part} of {name} is missing") from error
            with file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield chunk

    async def publish(self, name: str) -> None:
        """Give the backup its name; from now on it is one. Raises: BackupFailed."""
        with self._failures():
            self._draft(name).rename(self._root / name)
            _sync(self._root)

    async def names(self) -> Sequence[str]:
        """Returns: the backups, the oldest first. Raises: BackupFailed: the folder is missing."""
        await self.check()
        with self._failures():
            return sorted(each.name for each in self._root.iterdir() if NAME.fullmatch(each.name))

    async def remove(self, name: str) -> None:
        """Delete a backup, finished or not; none is left half. Raises: BackupFailed."""
        with self._failures():
            if (self._root / name).exists():
                (self._root / name).rename(self._draft(name))
            if self._draft(name).exists():
                await asyncio.to_thread(shutil.rmtree, self._draft(name))

    async def sweep(self, before: datetime) -> Sequence[str]:
        """Delete what was begun and never became a backup, and was last written before a time.

        Returns: the names of what is deleted. Raises: BackupFailed.
        """
        with self._failures():
            left = [
                each.name.removesuffix(_PARTIAL)
                for each in sorted(self._root.iterdir())
                if each.name.endswith(_PARTIAL)
                and NAME.fullmatch(each.name.removesuffix(_PARTIAL))
                and _written_at(each) < before
            ]
        for name in left:
            await self.remove(name)
        return left

    def _draft(self, name: str) -> Path:
        return self._root / f"{name}{_PARTIAL}"

    def _place(self, name: str) -> Path:
        finished = self._root / name
        return finished if finished.exists() else self._draft(name)

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno in _FULL:
                raise BackupFailed(f"the disk of {self._root} is full: free some space") from error
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise BackupFailed(f"the folder {self._root} fails: {reason}") from error


def _written_at(folder: Path) -> datetime:
    latest = max(each.stat().st_mtime for each in (folder, *folder.iterdir()))
    return datetime.fromtimestamp(latest, UTC)


def _sync(folder: Path) -> None:
    """Make a renaming last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

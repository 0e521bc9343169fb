"""Documents' bytes on their way: from the object store into a file of this machine, and back."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from streams import disk
from streams.clients.s3 import ObjectStore


@dataclass(frozen=True, slots=True)
class Files:
    """The object store, with the limit of a document's size and a folder for files in work."""

    store: ObjectStore
    max_bytes: int
    work_dir: Path | None = None

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """Yield the path of a file that does not exist yet; remove it afterwards.

        Raises: DependencyDown: the disk is full.
        """
        with disk.writing(), tempfile.TemporaryDirectory(dir=self.work_dir) as folder:
            yield Path(folder) / "document"

    async def download(self, key: str, target: Path) -> None:
        """Write an object to a file.

        Raises: InvalidMessage: there is none, or it is too large. DependencyDown: the store is
            away, or the disk is full.
        """
        await self.store.download(key, target, limit=self.max_bytes)

"""Files that say how far they have been read, for whoever shows it."""

import io
from collections.abc import Callable
from pathlib import Path


class Watched(io.BufferedReader):
    """A file that says how far it has been read."""

    def __init__(self, path: Path, progress: Callable[[int], None]) -> None:
        super().__init__(io.FileIO(path))
        self._progress = progress

    def read(self, size: int | None = -1, /) -> bytes:
        """Returns: the next bytes."""
        content = super().read(size)
        self._progress(self.tell())
        return content

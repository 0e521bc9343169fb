"""The files of a folder that are to become a batch: which they are, their hashes, their keys."""

import hashlib
import platform
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Final

from schemas.batches import MAX_ENTRIES

_CALL_BYTES: Final = 16 * 1024**2
"""Bytes of files in one call, so that little is sent twice where a call fails."""

_KEY_CHARS: Final = 32
_ODD: Final = re.compile('["\\\\\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]')
"""What the names in a form cannot have, or the gateway leaves out of them."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which files: `include` and `exclude` are globs of paths within the folder."""

    recursive: bool = True
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, path: str) -> bool:
        """Returns: whether the file of this path within the folder is one of them."""
        wanted = not self.include or any(_fits(path, glob) for glob in self.include)
        return wanted and not any(_fits(path, glob) for glob in self.exclude)


@dataclass(frozen=True, slots=True)
class File:
    """A file: where it is, its path within the folder, its size and the SHA-256 of its bytes."""

    path: Path
    name: str
    size_bytes: int
    sha256: str

    @property
    def key(self) -> str:
        """Returns: its key in a batch: the same bytes in the same place are the same document."""
        return _digest(self.name, self.sha256)


def paths(folder: Path, choice: Choice) -> list[Path]:
    """Returns: the chosen files of a folder by name, hidden ones left out."""
    found = folder.rglob("*") if choice.recursive else folder.glob("*")
    return [
        path
        for path in sorted(found)
        if path.is_file()
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
        and choice.takes(path.relative_to(folder).as_posix())
    ]


def read(folder: Path, path: Path) -> File:
    """Returns: a file with its hash. Raises: OSError: it cannot be read."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    name = _ODD.sub("_", path.relative_to(folder).as_posix())
    return File(path, name, path.stat().st_size, digest)


def mark(folder: Path) -> str:
    """Returns: what tells this folder of this machine from others, and tells nothing else."""
    return _digest(platform.node(), str(folder.resolve()))


def calls(files: Iterable[File]) -> Iterator[list[File]]:
    """Yield the files of each call: at most 500 and 16 MiB, larger ones alone."""
    group: list[File] = []
    size = 0
    for file in files:
        if group and (len(group) == MAX_ENTRIES or size + file.size_bytes > _CALL_BYTES):
            yield group
            group, size = [], 0
        group.append(file)
        size += file.size_bytes
    if group:
        yield group


def key_of(files: Sequence[File], batch_id: str) -> str:
    """Returns: the idempotency key of the call that adds these files to a batch."""
    return _digest(batch_id, *(file.key for file in files))


def _fits(path: str, glob: str) -> bool:
    # As in a shell a pattern without a slash means names, wherever they are.
    return fnmatchcase(path if "/" in glob else path.rpartition("/")[2], glob)


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[
        :_KEY_CHARS
    ]

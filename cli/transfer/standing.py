"""How far an export is: noted beside what it has written, so that it goes on where it stopped.

A part is cut back to the bytes that were noted with its cursor, so that no line stands twice.
"""

import fcntl
import os
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Final

from pydantic import BaseModel, Field, ValidationError

from cli.errors import Failure
from cli.transfer.layout import FORMAT, Json, line

PROGRESS: Final = "progress.json"

Page = tuple[Iterable[Json], str | None]
"""What is to be written, and the cursor of the page behind it."""


class Part(BaseModel):
    """One file: how much of it is good, and the cursor of the page that comes next."""

    lines: int = 0
    bytes: int = 0
    cursor: str | None = None
    done: bool = False


class Standing(BaseModel):
    """An export that is not finished."""

    format: int = FORMAT
    export_id: str = Field(default_factory=lambda: f"exp_{uuid.uuid4().hex}")
    gpt_id: str
    gateway_url: str
    begun_at: datetime = Field(default_factory=lambda: datetime.now(UTC))
    parts: dict[str, Part] = Field(default_factory=dict)
    troubles: list[str] = Field(default_factory=list)

    def save(self, root: Path) -> None:
        """Note it, whole or not at all."""
        fresh = root / f"{PROGRESS}.new"
        with fresh.open("w", encoding="utf-8") as file:
            file.write(self.model_dump_json())
            synced(file)
        fresh.replace(root / PROGRESS)

    def write(
        self,
        root: Path,
        name: str,
        page: Callable[[str | None], Page],
        tell: Callable[[int], object],
    ) -> None:
        """Write what is still missing of a file, page by page; `tell` gets its lines so far."""
        part = self.parts.setdefault(name, Part())
        tell(part.lines)
        if part.done:
            return
        path = root / name
        path.parent.mkdir(exist_ok=True)
        with path.open("ab") as file:
            if file.tell() < part.bytes:
                part = self.parts[name] = Part()
            file.truncate(part.bytes)
            while not part.done:
                items, cursor = page(part.cursor)
                for item in items:
                    file.write(line(item))
                    part.lines += 1
                synced(file)
                part.bytes, part.cursor, part.done = path.stat().st_size, cursor, cursor is None
                self.save(root)
                tell(part.lines)


def unfinished(root: Path, gpt_id: str, gateway_url: str) -> Standing:
    """Returns: how far the export in this folder is; a new one where there is no folder.

    Raises:
        Failure: the folder is something else, or the export of another tenant.
    """
    if not root.exists():
        root.mkdir(mode=0o700)
        made = Standing(gpt_id=gpt_id, gateway_url=gateway_url)
        made.save(root)
        return made
    try:
        found = Standing.model_validate_json((root / PROGRESS).read_bytes())
    except (OSError, ValidationError):
        raise Failure(f"{root} is there and is no unfinished export; name another folder") from None
    if found.format != FORMAT:
        raise Failure(
            f"{root} is an unfinished export of another version; remove it, or finish it with that"
        )
    if (found.gpt_id, found.gateway_url) != (gpt_id, gateway_url):
        raise Failure(
            f"{root} is an unfinished export of {found.gpt_id} from {found.gateway_url}; finish it "
            "first, remove it, or name another folder"
        )
    return found


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold a file, which is made where it is not there, for this process.

    Raises:
        Failure: another process holds it.
    """
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Failure(f"another process is at it: it holds {path}") from None
        yield


def synced(file: IO[bytes] | IO[str]) -> None:
    """Have what was written survive a power cut."""
    file.flush()
    os.fsync(file.fileno())

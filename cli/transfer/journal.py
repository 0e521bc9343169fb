"""What an import has done already, noted in the folder before and after each call.

A repeat reads it, sends nothing that was done, and what it sends again it sends under the same
idempotency key with the same body: a batch's lifetimes are counted from the time that is noted.
"""

import hashlib
import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from cli.errors import Failure
from cli.transfer.layout import Json, line
from cli.transfer.standing import alone, synced

FOLDER: Final = "imports"
_KEY_CHARS: Final = 48


@dataclass(frozen=True, slots=True)
class Done:
    """How often a batch was sent and answered, and the lines that failed the last time."""

    times: int
    failed: frozenset[int]


@dataclass(slots=True)
class Journal:
    """The notes of one import into one tenant; its methods may be called from any thread."""

    export_id: str
    run: str
    documents: dict[str, str] = field(default_factory=dict)
    corrected: set[str] = field(default_factory=set)
    _done: dict[str, Done] = field(default_factory=dict)
    _sent: dict[str, datetime] = field(default_factory=dict)
    file: IO[bytes] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def key(self, *parts: str | int) -> str:
        """Returns: the idempotency key of a part of this import, the same at every repeat."""
        text = "\x1f".join((self.export_id, self.run, *map(str, parts)))
        return hashlib.sha256(text.encode()).hexdigest()[:_KEY_CHARS]

    def done(self, batch: str) -> Done:
        """Returns: what is noted of a batch."""
        return self._done.get(batch, Done(0, frozenset()))

    def sending(self, attempt: str) -> datetime:
        """Returns: the time from which the attempt's lifetimes count, noted before it is sent."""
        if attempt not in self._sent:
            self._add({"sent": attempt, "at": datetime.now(UTC).isoformat()})
        return self._sent[attempt]

    def answered(self, batch: str, failed: frozenset[int]) -> None:
        """Note that a batch was answered, and which of its lines were refused."""
        self._add({"done": batch, "failed": sorted(failed)})

    def uploaded(self, exported: str, document_id: str) -> None:
        """Note a document's new id."""
        self._add({"document": exported, "id": document_id})

    def corrections_made(self, exported: str) -> None:
        """Note that what people corrected in a document is corrected again."""
        self._add({"corrected": exported})

    def _add(self, note: Json) -> None:
        with self._lock:
            self.learn(note)
            if self.file is not None:
                self.file.write(line(note))
                synced(self.file)

    def learn(self, note: Json) -> None:
        """Take over one note."""
        match note:
            case {"sent": str(attempt), "at": str(at)}:
                self._sent[attempt] = datetime.fromisoformat(at)
            case {"done": str(batch), "failed": list(failed)}:
                times = self.done(batch).times + 1
                self._done[batch] = Done(times, frozenset(map(int, failed)))
            case {"document": str(exported), "id": str(document_id)}:
                self.documents[exported] = document_id
            case {"corrected": str(exported)}:
                self.corrected.add(exported)


@contextmanager
def opened(
    root: Path, export_id: str, target: tuple[str, str], *, again: bool
) -> Iterator[Journal]:
    """Yield the journal of an import into a target: the gateway's URL and the tenant.

    Args:
        root: the folder that is imported.
        export_id: which export it is.
        target: where it goes.
        again: forget what was done, and begin under new idempotency keys.

    Raises:
        Failure: the folder cannot be written to, or another process imports it.
    """
    digest = hashlib.sha256("\x1f".join(target).encode()).hexdigest()[:12]
    path = root / FOLDER / f"{target[1]}-{digest}.jsonl"
    if path.is_symlink() or path.parent.is_symlink():
        raise Failure(f"{path} is a symbolic link; the import's notes are not written there")
    try:
        path.parent.mkdir(exist_ok=True)
        path.touch(mode=0o600)
    except OSError as error:
        raise Failure(
            f"{error.filename} cannot be written ({error.strerror}): an import notes in the folder "
            "what it has done; copy the folder to where you may write"
        ) from None
    with alone(path), path.open("r+b") as file:
        if again:
            file.truncate()
        journal = _read(file, export_id, again=again)
        journal.file = file
        yield journal


def _read(file: IO[bytes], export_id: str, *, again: bool) -> Journal:
    """Returns: what is noted; a last note that a crash tore is cut off."""
    journal = Journal(export_id, run=f"run_{uuid.uuid4().hex}" if again else "")
    if again:
        file.write(line({"run": journal.run}))
        synced(file)
        return journal
    good = 0
    for raw in file:
        note = _note(raw)
        if note is None:
            break
        good += len(raw)
        journal.run = note.get("run", journal.run)
        journal.learn(note)
    file.seek(good)
    file.truncate()
    return journal


def _note(raw: bytes) -> Json | None:
    try:
        found: Any = json.loads(raw) if raw.endswith(b"\n") else None
    except ValueError:
        return None
    return found if isinstance(found, dict) else None

"""What a comparison finds: a difference between two of the places that should agree."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Protocol

from streams.verify.stores import Stores


class Kind(StrEnum):
    """The kinds of differences."""

    ENTRIES_WITHOUT_DOCUMENT = "entries_without_document"
    ENTRIES_WITHOUT_OBJECT = "entries_without_object"
    ENTRIES_OF_DELETED = "entries_of_deleted"
    ENTRIES_MISSING = "entries_missing"
    ENTRIES_STALE = "entries_stale"
    ENTRIES_NEWER = "entries_newer"
    INDEX_BEHIND = "index_behind"
    CHUNKS_MISSING = "chunks_missing"
    OBJECT_WITHOUT_ROW = "object_without_row"
    OBJECT_MISSING = "object_missing"
    STUCK = "stuck"
    EFFECT_MISSING = "effect_missing"
    STATUS_DISAGREES = "status_disagrees"
    DEAD_WITHOUT_LETTER = "dead_without_letter"
    DONE_AND_DEAD = "done_and_dead"
    EVENT_NUMBERS = "event_numbers"
    BATCH_COUNTS = "batch_counts"


REMEDIES: Final[dict[Kind, str]] = {
    Kind.ENTRIES_WITHOUT_DOCUMENT: "`--repair` deletes the entries",
    Kind.ENTRIES_WITHOUT_OBJECT: "`--repair` deletes the entries",
    Kind.ENTRIES_OF_DELETED: "`--repair` deletes the entries",
    Kind.ENTRIES_MISSING: "`--repair` has the document or object indexed again",
    Kind.ENTRIES_STALE: "`--repair` has the document or object indexed again",
    Kind.ENTRIES_NEWER: "the database is older than the index (restored?): `actionstream reindex`",
    Kind.INDEX_BEHIND: "`--repair` has the document or object indexed again",
    Kind.CHUNKS_MISSING: "`--repair` has the document indexed again",
    Kind.OBJECT_WITHOUT_ROW: "`--repair` deletes the object once no topic can name it any more",
    Kind.OBJECT_MISSING: "restore it from a backup, or delete the document and send it anew",
    Kind.STUCK: "`--repair` publishes the lost record again, where the ledger has it",
    Kind.EFFECT_MISSING: "`actionstream replay --stage parse --document ID`",
    Kind.STATUS_DISAGREES: "`actionstream replay --stage index --document ID`",
    Kind.DEAD_WITHOUT_LETTER: "`actionstream replay --stage parse --document ID`",
    Kind.DONE_AND_DEAD: "`actionstream dead-letters discard`: the work was done",
    Kind.EVENT_NUMBERS: "none: readers of events must be told which numbers are missing",
    Kind.BATCH_COUNTS: "none: the documents are right, what is said of the batch is not",
}
"""What mends each kind."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    `subject` names what differs: a document, a run, a request, an object's key, a tenant; or an
    object of a collection, which then has a `collection_id`.
    A difference is `certain` when nothing that was on its way can still remove it; else records
    that could do so may wait in Kafka. `stages` are those that could bring it on, beside those of
    its comparison; with `held` its record may also wait on a retry topic.
    """

    kind: Kind
    subject: str
    detail: str
    gpt_id: str | None = None
    document_id: str | None = None
    certain: bool = False
    stages: tuple[str, ...] = ()
    held: bool = False
    mended: str | None = None
    collection_id: str | None = None

    @property
    def key(self) -> tuple[Kind, str]:
        """Returns: what makes it the same difference at a second look."""
        return self.kind, self.subject

    @property
    def remedy(self) -> str:
        """Returns: what mends it, as a sentence for people."""
        return REMEDIES[self.kind]

    def to_json(self) -> dict[str, Any]:
        """Returns: the difference as one line of `verify --json` has it."""
        return {
            "kind": self.kind.value,
            "subject": self.subject,
            "gpt_id": self.gpt_id,
            "document_id": self.document_id,
            "collection_id": self.collection_id,
            "detail": self.detail,
            "certain": self.certain,
            "remedy": self.remedy,
            "mended": self.mended,
        }


@dataclass(frozen=True, slots=True)
class Look:
    """One look of a comparison: at everything, or `only` at some subjects; `seen` counts them."""

    only: frozenset[str] | None = None
    seen: Callable[[int], None] = lambda _: None


class Scan(Protocol):
    """Yields what differs now, whether or not it is about to change."""

    def __call__(self, stores: Stores, look: Look, /) -> AsyncIterator[Difference]:
        """Raises: DependencyDown: a store does not answer."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two places that should agree.

    `total` counts what `scan` looks at, where that is known. `stages` are those whose records may
    be about to change what it finds.
    """

    name: str
    scan: Scan
    total: Callable[[Stores], Awaitable[int]] | None
    stages: tuple[str, ...] = ()

"""What a write finds and leaves: tenants, collections, objects and earlier versions, as values.

Each mirrors a row of its table. None is ever changed: what changes is which of them stands in the
world (`streams/collections/world.py`), so that undoing is putting an old one back.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from schemas.writes import Indexes


@dataclass(frozen=True, slots=True)
class Tenant:
    """A GPT; its limits are those that hold, its own or the installation's."""

    gpt_id: str
    disabled: bool
    deleted: bool
    max_objects: int
    max_bytes: int
    object_count: int
    byte_count: int


@dataclass(frozen=True, slots=True)
class Collection:
    """A collection; `json_schema` is JSON text, as it is stored."""

    collection_id: str
    gpt_id: str
    name: str
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    json_schema: str | None = None
    search: dict[str, Any] | None = None
    indexes: Indexes = field(default_factory=Indexes)
    shape: int = 1
    shaped: int = 1
    keep_versions: int = 10
    default_ttl_s: int | None = None
    max_objects: int | None = None
    max_bytes: int | None = None
    object_count: int = 0
    byte_count: int = 0
    sequence: int = 0
    last_created_at: datetime | None = None
    version: int = 1
    deleted_at: datetime | None = None
    forgotten_sequence: int = 0
    schema_checked: bool = True


@dataclass(frozen=True, slots=True)
class Object:
    """An object, or with `deleted_at` its tombstone; `body` is JSON text.

    `first_version` is set where this very write is the one that it comes with, or comes back.
    """

    object_id: str
    gpt_id: str
    collection_id: str
    subject: str | None
    key: str | None
    body: str
    size_bytes: int
    version: int
    sequence: int
    created_at: datetime
    updated_at: datetime
    expires_at: datetime | None = None
    deleted_at: datetime | None = None
    first_version: int | None = None

    def lives(self, now: datetime) -> bool:
        """Returns: whether it is there for its readers."""
        return self.deleted_at is None and not self.is_over(now)

    def is_over(self, now: datetime) -> bool:
        """Returns: whether its time has run out."""
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class Earlier:
    """A body that a newer version, or a deletion, has taken the place of."""

    object_id: str
    version: int
    gpt_id: str
    collection_id: str
    subject: str | None
    body: str
    size_bytes: int
    written_at: datetime

    @classmethod
    def of(cls, one: Object) -> "Earlier":
        """Returns: an object as it is, to be kept."""
        return cls(
            one.object_id,
            one.version,
            one.gpt_id,
            one.collection_id,
            one.subject,
            one.body,
            one.size_bytes,
            one.updated_at,
        )


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a tenant, and where a key is bound to one its end user."""

    gpt_id: str
    subject: str | None

    def sees(self, one: Object) -> bool:
        """Returns: whether the object is the caller's to read and write."""
        return self.subject is None or one.subject == self.subject


@dataclass(frozen=True, slots=True)
class Change:
    """What became of an object, as the feed of changes tells it."""

    kind: Literal["created", "updated", "deleted"]
    after: Object


@dataclass(frozen=True, slots=True)
class Limits:
    """What holds for a tenant that has no limits of its own, and for its collections' number."""

    max_objects: int
    max_bytes: int
    max_collections: int


@dataclass(slots=True)
class Loaded:
    """What the tables held when the batch began.

    `collection_counts` and `dropped_sequences`, by tenant, are there where they matter.
    """

    now: datetime
    tenants: dict[str, Tenant] = field(default_factory=dict)
    collections: dict[str, Collection] = field(default_factory=dict)
    objects: dict[str, Object] = field(default_factory=dict)
    earlier: dict[tuple[str, int], Earlier] = field(default_factory=dict)
    collection_counts: dict[str, int] = field(default_factory=dict)
    dropped_sequences: dict[str, int] = field(default_factory=dict)

"""Collections of JSON objects, their objects, and the objects' earlier versions."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB, TSVECTOR

from schemas.tables.catalogue import METADATA, created_at, updated_at

SLOTS: Final = 4
"""Paths of a collection that an ordered index can serve; `objects.slots` holds their values."""

COLLECTIONS: Final = Table(
    "collections",
    METADATA,
    Column("collection_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("description", Text),
    Column("json_schema", JSONB),
    Column("search", JSONB),
    Column("indexes", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("shape", Integer, nullable=False, server_default=text("1")),
    Column("shaped", Integer, nullable=False, server_default=text("1")),
    Column("keep_versions", Integer, nullable=False, server_default=text("10")),
    Column("default_ttl_s", BigInteger),
    Column("max_objects", BigInteger),
    Column("max_bytes", BigInteger),
    Column("object_count", BigInteger, nullable=False, server_default=text("0")),
    Column("byte_count", BigInteger, nullable=False, server_default=text("0")),
    Column("sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("forgotten_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("last_created_at", DateTime(timezone=True)),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("schema_checked", Boolean, nullable=False, server_default=text("true")),
    created_at(),
    updated_at(),
    Column("deleted_at", DateTime(timezone=True)),
    Index(
        "collections_by_name",
        "gpt_id",
        "name",
        unique=True,
        postgresql_where=text("deleted_at IS NULL"),
    ),
)
"""One row a collection. `sequence` counts its changes; `forgotten_sequence` is the last of those
whose tombstones are no longer there, and of a new one the number that it began with;
`last_created_at` keeps the order of its
objects' creation strict. `shape` is raised when `indexes` changes, and `shaped` follows once all
objects bear the values of the new ones: until then no index but the primary ones may be asked.
`schema_checked` says that no stored object can be against the schema.
A deleted one keeps its row until its objects are gone; its name is free at once."""

OBJECTS: Final = Table(
    "objects",
    METADATA,
    Column("object_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("collection_id", Text, nullable=False),
    Column("subject", Text),
    Column("key", Text),
    Column("body", JSONB, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("sequence", BigInteger, nullable=False),
    Column("slots", JSONB),
    Column("filterable", Boolean, nullable=False, server_default=text("false")),
    Column("words", TSVECTOR),
    Column("fragments", Text),
    Column("first_version", BigInteger),
    Column("indexed_version", BigInteger),
    Column("entry_count", Integer, nullable=False, server_default=text("0")),
    created_at(),
    updated_at(),
    Column("expires_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Index(
        "objects_in_order",
        "collection_id",
        "created_at",
        "object_id",
        postgresql_where=text("deleted_at IS NULL"),
    ),
    Index(
        "objects_of_subject",
        "collection_id",
        "subject",
        "created_at",
        "object_id",
        postgresql_where=text("deleted_at IS NULL AND subject IS NOT NULL"),
    ),
    Index(
        "objects_by_key",
        "collection_id",
        "key",
        func.coalesce(text('subject COLLATE "C"'), text("''")),
        unique=True,
        postgresql_where=text("key IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index(
        "objects_gone_by_key",
        "collection_id",
        "key",
        func.coalesce(text('subject COLLATE "C"'), text("''")),
        "version",
        postgresql_where=text("key IS NOT NULL AND deleted_at IS NOT NULL"),
    ),
    Index("objects_by_change", "collection_id", "sequence"),
    Index(
        "objects_of_subject_by_change",
        "collection_id",
        "subject",
        "sequence",
        postgresql_where=text("subject IS NOT NULL"),
    ),
    Index(
        "objects_to_expire",
        "expires_at",
        "object_id",
        postgresql_where=text("expires_at IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index("objects_to_forget", "deleted_at", postgresql_where=text("deleted_at IS NOT NULL")),
    *(
        Index(
            f"objects_slot_{slot}",
            "collection_id",
            text(f"(slots -> {slot})"),
            "created_at",
            "object_id",
            postgresql_where=text(f"(slots -> {slot}) IS NOT NULL AND deleted_at IS NULL"),
        )
        for slot in range(SLOTS)
    ),
    Index(
        "objects_containing",
        "collection_id",
        "body",
        postgresql_using="gin",
        postgresql_ops={"body": "jsonb_path_ops"},
        postgresql_where=text("filterable AND deleted_at IS NULL"),
    ),
    Index(
        "objects_with_words",
        "collection_id",
        "words",
        postgresql_using="gin",
        postgresql_where=text("words IS NOT NULL AND deleted_at IS NULL"),
    ),
    Index(
        "objects_with_fragments",
        "collection_id",
        "fragments",
        postgresql_using="gin",
        postgresql_ops={"fragments": "gin_trgm_ops"},
        postgresql_where=text("fragments IS NOT NULL AND deleted_at IS NULL"),
    ),
)
"""One row an object. A deleted one keeps its row, its body emptied to `{}`, as a tombstone in the
feed of changes. `first_version` is the version with which it came, or came back; null: 1.

`slots`, `filterable`, `words` and `fragments` are derived from the body as `collections.indexes`
says; objects of collections that declare nothing are in none of their indexes. `indexed_version`
and `entry_count` say what the search index holds of it."""

OBJECT_VERSIONS: Final = Table(
    "object_versions",
    METADATA,
    Column("object_id", Text, primary_key=True),
    Column("version", BigInteger, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("collection_id", Text, nullable=False),
    Column("subject", Text),
    Column("body", JSONB, nullable=False),
    Column("size_bytes", Integer, nullable=False),
    Column("written_at", DateTime(timezone=True), nullable=False),
    Index("object_versions_of_collection", "collection_id"),
)
"""The last versions of each object before its present one, as many as its collection keeps."""

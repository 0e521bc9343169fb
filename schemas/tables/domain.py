"""What clients see: requests, documents and what is made from them."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from schemas.tables.catalogue import METADATA, created_at, updated_at

REQUESTS: Final = Table(
    "requests",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("subject", Text),
    Column("kind", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("document_id", Text),
    Column("correlation_id", Text),
    Column("reply_to", Text),
    Column("fingerprint", Text),
    Column("result", JSONB),
    Column("problem", JSONB),
    created_at(),
    updated_at(),
    Column("completed_at", DateTime(timezone=True)),
    Index("requests_by_tenant", "gpt_id", "created_at", "request_id"),
    Index("requests_by_document", "document_id"),
)

DOCUMENTS: Final = Table(
    "documents",
    METADATA,
    Column("document_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("subject", Text),
    Column("request_id", Text),
    Column("correlation_id", Text),
    Column("parent_id", Text),
    Column("batch_id", Text),
    Column("run_id", Text),
    Column("status", Text, nullable=False),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    Column("indexed_version", BigInteger),
    Column("filename", Text),
    Column("title", Text),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("s3_key", Text),
    Column("content_type", Text),
    Column("size_bytes", BigInteger),
    Column("sha256", Text),
    Column("duplicate_of", Text),
    Column("page_count", Integer),
    Column("chunk_count", Integer, nullable=False, server_default=text("0")),
    Column("type", Text),
    Column("type_confidence", Float),
    Column("fields", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("confidence", Float),
    Column("needs_review", Boolean, nullable=False, server_default=text("false")),
    Column("problem", JSONB),
    created_at(),
    updated_at(),
    Column("completed_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Index("documents_by_tenant", "gpt_id", "created_at", "document_id"),
    Index("documents_by_content", "gpt_id", "sha256"),
    Index("documents_by_parent", "parent_id"),
    Index(
        "documents_by_batch",
        "batch_id",
        "document_id",
        postgresql_where=text("batch_id IS NOT NULL"),
    ),
    Index(
        "documents_to_review",
        "gpt_id",
        "confidence",
        "document_id",
        postgresql_where=text("needs_review AND deleted_at IS NULL"),
    ),
    Index("documents_by_fields", "fields", postgresql_using="gin"),
    Index("documents_by_metadata", "metadata", postgresql_using="gin"),
)
"""One row a document. `fields` holds the effective values, `{name: normalised or plain value}`: the
current run's answer with corrections laid over it. A deleted document keeps its row, emptied."""

_TWINS: Final = DOCUMENTS.alias("twins")
DUPLICATE_OF: Final = (
    select(_TWINS.c.document_id)
    .where(
        _TWINS.c.document_id == DOCUMENTS.c.duplicate_of,
        _TWINS.c.subject.is_not_distinct_from(DOCUMENTS.c.subject),
    )
    .scalar_subquery()
    .label("duplicate_of")
)
"""What to read in the place of the column: rows of the first versions may name a document of
another end user, who must not learn of it."""

RUNS: Final = Table(
    "runs",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("document_id", Text, nullable=False),
    Column("gpt_id", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("status", Text, nullable=False),
    Column("requested_type", Text),
    Column("page_count", Integer),
    Column("type", Text),
    Column("type_confidence", Float),
    Column("candidates", JSONB),
    Column("fields", JSONB),
    Column("confidence", Float),
    Column("needs_review", Boolean),
    Column("models", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("notices", JSONB, nullable=False, server_default=text("'[]'::jsonb")),
    Column("problem", JSONB),
    created_at(),
    Column("completed_at", DateTime(timezone=True)),
    UniqueConstraint("document_id", "number", name="runs_numbered"),
    Index("runs_unfinished", "created_at", postgresql_where=text("completed_at IS NULL")),
    Index("runs_finished", "completed_at"),
)
"""One row a processing of a document; earlier ones are kept. `fields` is the machine's whole answer
with evidence, `models` what answered, `notices` what a reader should know (such as windows)."""

PAGES: Final = Table(
    "pages",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("confidence", Float),
    Column("words", JSONB),
    Index("pages_by_document", "document_id"),
)
"""`words` is `[[start, end, [left, top, right, bottom], confidence], …]` on pages read by OCR."""

CHUNKS: Final = Table(
    "chunks",
    METADATA,
    Column("run_id", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("page", Integer, nullable=False),
    Column("start_offset", Integer, nullable=False),
    Column("end_offset", Integer, nullable=False),
    Column("text", Text, nullable=False),
    Index("chunks_by_document", "document_id"),
)

CORRECTIONS: Final = Table(
    "corrections",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("document_id", Text, nullable=False),
    Column("value", JSONB),
    Column("machine_value", JSONB),
    Column("corrected_by", Text, nullable=False),
    Column("corrected_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("corrections_by_document", "document_id", "corrected_at"),
)
"""What people corrected, one row a field and request; `name` is `type` or a field's name."""

REVIEWS: Final = Table(
    "reviews",
    METADATA,
    Column("request_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("subject", Text),
    Column("document_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("decision", Text, nullable=False),
    Column("fields", JSONB, nullable=False),
    Column("note", Text),
    Column("decided_by", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Index("reviews_by_document", "document_id", "decided_at"),
    Index("reviews_by_tenant", "gpt_id", "decided_at"),
)
"""What people decided on documents that needed them. `fields` keeps for each field that was looked
at the machine's value, its confidence, and whether it was right: what the calibration is measured
with."""

DOCUMENT_TYPES: Final = Table(
    "document_types",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("definition", JSONB, nullable=False),
    created_at(),
    updated_at(),
)

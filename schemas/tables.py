"""The Postgres tables. `streams` writes them, `gateway` reads them; migrations make them.

Every row names its tenant (`gpt_id`); rows that belong to an end user inside the tenant also name
the `subject`.
"""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

METADATA: Final = MetaData()


def _created() -> Column[object]:
    return Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now())


def _updated() -> Column[object]:
    return Column("updated_at", DateTime(timezone=True), nullable=False, server_default=func.now())


GPTS: Final = Table(
    "gpts",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("disabled_at", DateTime(timezone=True)),
    _created(),
)

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
    _created(),
    _updated(),
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
    _created(),
    _updated(),
    Column("completed_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    Index("documents_by_tenant", "gpt_id", "created_at", "document_id"),
    Index("documents_by_content", "gpt_id", "sha256"),
    Index("documents_by_parent", "parent_id"),
    Index("documents_by_fields", "fields", postgresql_using="gin"),
    Index("documents_by_metadata", "metadata", postgresql_using="gin"),
)
"""One row a document. `fields` holds the effective values, `{name: normalised or plain value}`: the
current run's answer with corrections laid over it. A deleted document keeps its row, emptied."""

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
    _created(),
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

DOCUMENT_TYPES: Final = Table(
    "document_types",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("definition", JSONB, nullable=False),
    _created(),
    _updated(),
)

STEPS: Final = Table(
    "steps",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("stage", Text, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("document_id", Text),
    Column("request_id", Text),
    Column("state", Text, nullable=False),
    Column("fence", Integer, nullable=False, server_default=text("1")),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("crashes", Integer, nullable=False, server_default=text("0")),
    Column("owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("waiting_for", Text),
    Column("waiting_since", DateTime(timezone=True)),
    Column("waited_ms", BigInteger, nullable=False, server_default=text("0")),
    Column("attempt", Integer, nullable=False, server_default=text("0")),
    Column("attempts_allowed", Integer),
    Column("retry_at", DateTime(timezone=True)),
    Column("alone", Boolean, nullable=False, server_default=text("false")),
    Column("crashes_alone", Integer, nullable=False, server_default=text("0")),
    Column("detail", JSONB),
    Column("outputs", JSONB),
    Column("problem", JSONB),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("finished_at", DateTime(timezone=True)),
    Index("steps_by_document", "document_id", "started_at"),
    Index("steps_by_request", "request_id"),
)
"""The ledger: one row a step of work, which is also the document's timeline. A step that belongs to
no run bears its request's id in `run_id`.

`fence` counts claims, `failures` work that answered with an error, `crashes` leases that lapsed
without an outcome, `crashes_alone` those of them while the worker did nothing else. `attempt` is
the newest record of the step: only that one may be worked on, older ones are only acknowledged."""

MODEL_ANSWERS: Final = Table(
    "model_answers",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("run_id", Text, primary_key=True),
    Column("call", Text, primary_key=True),
    Column("prompt_hash", Text, primary_key=True),
    Column("document_id", Text),
    Column("model", Text, nullable=False),
    Column("answer", JSONB, nullable=False),
    _created(),
    Index("model_answers_by_document", "document_id"),
)
"""Model answers that passed their check, so that no replay pays for one twice."""

DEAD_LETTERS: Final = Table(
    "dead_letters",
    METADATA,
    Column("topic", Text, primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("record_offset", BigInteger, primary_key=True),
    Column("dead_letter_id", Text, nullable=False, unique=True),
    Column("state", Text, nullable=False, server_default=text("'dead'")),
    Column("decided_by", Text),
    Column("decided_at", DateTime(timezone=True)),
    Column("stage", Text, nullable=False),
    Column("gpt_id", Text),
    Column("request_id", Text),
    Column("document_id", Text),
    Column("run_id", Text),
    Column("part", Integer),
    Column("record_key", LargeBinary),
    Column("record_value", LargeBinary),
    Column("headers", JSONB, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("reason", Text, nullable=False),
    _created(),
    Index("dead_letters_by_tenant", "gpt_id", "created_at"),
    Index("dead_letters_by_document", "document_id"),
)
"""`state` is one of `schemas/states.py:LetterState`. `run_id` and `part` name the step; they are null
where the record could not be decoded."""

EVENT_COUNTERS: Final = Table(
    "event_counters",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
)
"""The last number given to an event of a tenant. Its row is locked last before a commit, so that
numbers have no gaps and become visible in their order."""

EVENTS: Final = Table(
    "events",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("type", Text, nullable=False),
    Column("subject", Text),
    Column("object_id", Text),
    Column("request_id", Text),
    Column("correlation_id", Text),
    Column("data", JSONB, nullable=False),
    _created(),
)
"""What happened, one row an event. `object_id` is what it happened to (CloudEvents' subject),
`subject` the end user whose it is."""

WORKERS: Final = Table(
    "workers",
    METADATA,
    Column("owner", Text, primary_key=True),
    Column("stages", Text, nullable=False),
    Column("state", JSONB, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("seen_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
)
"""One row a worker process, renewed every few seconds: what it waits for, which model's breaker is
open, which of its stages have stopped. `stages` is the set that it works on."""

REBUILDS: Final = Table(
    "rebuilds",
    METADATA,
    Column("index_name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("after", Text),
    Column("done", BigInteger, nullable=False, server_default=text("0")),
    Column("total", BigInteger, nullable=False, server_default=text("0")),
    Column("started_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    _updated(),
    Column("finished_at", DateTime(timezone=True)),
)
"""Rebuilds of the search index. While one is in state `building` or `catching up`, every write and
delete goes to its index too; `after` is the last document that its walk has passed."""

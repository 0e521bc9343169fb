"""What the system knows of its own work: steps, dead letters, events, workers, rebuilds."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from schemas.tables.catalogue import METADATA, created_at, updated_at

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
    created_at(),
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
    Column("batch_id", Text),
    Column("record_key", LargeBinary),
    Column("record_value", LargeBinary),
    Column("headers", JSONB, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("reason", Text, nullable=False),
    created_at(),
    Index("dead_letters_by_tenant", "gpt_id", "created_at"),
    Index("dead_letters_by_document", "document_id"),
    Index("dead_letters_by_request", "request_id"),
    Index(
        "dead_letters_by_batch",
        "batch_id",
        "created_at",
        "dead_letter_id",
        postgresql_where=text("batch_id IS NOT NULL"),
    ),
)
"""`state` is one of `schemas/states.py:LetterState`. `run_id` and `part` name the step; they are
null where the record could not be decoded."""

EVENT_COUNTERS: Final = Table(
    "event_counters",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("last", BigInteger, nullable=False),
    Column("forgotten_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("watched", Boolean, nullable=False, server_default=text("false")),
)
"""The last number given to an event of a tenant. Its row is locked last before a commit, so that
numbers have no gaps and become visible in their order. Up to `forgotten_sequence` they were removed
for their age. `watched` says that the tenant has webhooks."""

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
    Column("batch_id", Text),
    Column("data", JSONB, nullable=False),
    created_at(),
    Index("events_by_batch", "batch_id", "sequence", postgresql_where=text("batch_id IS NOT NULL")),
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
    updated_at(),
    Column("finished_at", DateTime(timezone=True)),
)
"""Rebuilds of the search index. While one is in state `building` or `catching up`, every write and
delete goes to its index too; `after` is the last document that its walk has passed."""

"""Batches of documents, their entries, and the counts of both."""

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSON, JSONB

from schemas.tables.catalogue import METADATA, created_at, updated_at

BATCHES: Final = Table(
    "batches",
    METADATA,
    Column("batch_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("subject", Text),
    Column("request_id", Text, nullable=False),
    Column("correlation_id", Text),
    Column("name", Text),
    Column("metadata", JSONB, nullable=False, server_default=text("'{}'::jsonb")),
    Column("state", Text, nullable=False),
    Column("last_ordinal", BigInteger, nullable=False, server_default=text("0")),
    Column("unsettled", BigInteger, nullable=False, server_default=text("0")),
    Column("last_source", Integer, nullable=False, server_default=text("0")),
    Column("sources", Integer, nullable=False, server_default=text("0")),
    Column("closings", Integer, nullable=False, server_default=text("0")),
    Column("completed_closings", Integer, nullable=False, server_default=text("0")),
    created_at(),
    updated_at(),
    Column("closed_at", DateTime(timezone=True)),
    Column("completed_at", DateTime(timezone=True)),
    Index("batches_by_tenant", "gpt_id", "created_at", "batch_id"),
    Index("batches_active", "batch_id", postgresql_where=text("state IN ('open', 'closed')")),
)
"""One row a batch; `state` is one of `schemas/states.py:BatchState`.

`unsettled` counts the entries that are neither completed nor failed nor cancelled, `sources` what
may still add to them: archives and prefixes that are not listed to their end, redrives of a retry.
`last_source` numbers the former. A closed batch without either is complete:
`closings` counts how often it was closed (or retried), `completed_closings` the last of them whose
`batch.completed` was told. This row is locked before any entry's count changes."""

BATCH_ENTRIES: Final = Table(
    "batch_entries",
    METADATA,
    Column("batch_id", Text, primary_key=True),
    Column("ordinal", BigInteger, primary_key=True, autoincrement=False),
    Column("gpt_id", Text, nullable=False),
    Column("document_id", Text, unique=True),
    Column("request_id", Text),
    Column("path", Text),
    Column("order", JSON),
    Column("state", Text, nullable=False),
    Column("label", Text, nullable=False, server_default=text("''")),
    Column("problem", JSONB),
    Column("released_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    Index(
        "batch_entries_queued",
        "gpt_id",
        "batch_id",
        "ordinal",
        postgresql_where=text("state = 'queued' AND released_at IS NULL"),
    ),
    Index(
        "batch_entries_in_flight",
        "released_at",
        postgresql_where=text("released_at IS NOT NULL AND settled_at IS NULL"),
    ),
    Index(
        "batch_entries_settled",
        "batch_id",
        "settled_at",
        postgresql_where=text("settled_at IS NOT NULL AND state <> 'cancelled'"),
    ),
    Index(
        "batch_entries_failed",
        "batch_id",
        "label",
        "ordinal",
        postgresql_where=text("state = 'failed'"),
    ),
    Index("batch_entries_by_state", "batch_id", "state", "ordinal"),
    Index("batch_entries_by_tenant", "gpt_id", "batch_id", "ordinal"),
)
"""One row a document of a batch, from the moment it was added; one that could not become a document
has no `document_id` and says why in `problem`.

`order` is the value of the `process-document` record that it is released with; it goes once the
document is begun or settled. `state` is one of
`schemas/states.py:EntryState` and follows the document's status within the same transaction.
`label` is the document's type where it is completed, the problem's code where it failed, else
empty."""

BATCH_TALLIES: Final = Table(
    "batch_tallies",
    METADATA,
    Column("batch_id", Text, primary_key=True),
    Column("state", Text, primary_key=True),
    Column("label", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("count", BigInteger, nullable=False),
)
"""How many entries of a batch are in a state under a label. Changed only with the entry itself and
under the lock of the batch's row, so that the sums are exact at all times."""

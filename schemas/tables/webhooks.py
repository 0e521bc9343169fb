"""Webhooks: where events are delivered to, and each delivery."""

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
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA

from schemas.tables.catalogue import METADATA, created_at, updated_at

WEBHOOKS: Final = Table(
    "webhooks",
    METADATA,
    Column("webhook_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("subject", Text),
    Column("url", Text, nullable=False),
    Column("description", Text),
    Column("events", ARRAY(Text), nullable=False),
    Column("secrets", ARRAY(BYTEA), nullable=False),
    Column("old_secrets_end_at", DateTime(timezone=True)),
    Column("state", Text, nullable=False),
    Column("paused_reason", Text),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    Column("failing_since", DateTime(timezone=True)),
    Column("held_until", DateTime(timezone=True)),
    Column("slow", Boolean, nullable=False, server_default=text("false")),
    Column("due_at", DateTime(timezone=True)),
    Column("owner", Text),
    Column("lease_until", DateTime(timezone=True)),
    Column("version", BigInteger, nullable=False, server_default=text("1")),
    created_at(),
    updated_at(),
    Index("webhooks_by_tenant", "gpt_id", "created_at", "webhook_id"),
    Index("webhooks_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
)
"""One row an endpoint. `events` are types of events, or `*`, or a prefix such as `document.*`;
`secrets` are sealed, the newest first, and those behind it sign until `old_secrets_end_at`. After
`failures` in a row nothing is tried until `held_until`. `due_at` is when something is to be tried,
null while nothing is. A worker delivers to an endpoint only under its lease, so that its events
come in their order."""

WEBHOOK_DELIVERIES: Final = Table(
    "webhook_deliveries",
    METADATA,
    Column("delivery_id", Text, primary_key=True),
    Column("webhook_id", Text, nullable=False),
    Column("gpt_id", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    Column("event_type", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("urgent", Boolean, nullable=False, server_default=text("false")),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("attempts_before", Integer, nullable=False, server_default=text("0")),
    Column("retry_at", DateTime(timezone=True)),
    Column("status_code", Integer),
    Column("latency_ms", Integer),
    Column("excerpt", Text),
    Column("error", Text),
    created_at(),
    Column("tried_at", DateTime(timezone=True)),
    Column("settled_at", DateTime(timezone=True)),
    UniqueConstraint("gpt_id", "webhook_id", "sequence", name="webhook_deliveries_once"),
    Index(
        "webhook_deliveries_pending",
        "webhook_id",
        "urgent",
        text("retry_at NULLS FIRST"),
        "sequence",
        postgresql_where=text("state = 'pending'"),
    ),
)
"""One row an event and endpoint; `delivery_id` is the `webhook-id` that the receiver sees, the same
at every attempt. `sequence` is the event's number within its tenant. One that is `urgent` goes
first, whatever the endpoint waits for. `retry_at` is set once it no longer holds up those behind
it. `attempts_before` were made before it was last sent again by hand, or its endpoint resumed."""

"""Batches with their entries and counts, webhooks with their deliveries, decisions of reviews."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0004"
down_revision: str | None = "0003"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def _text(name: str, *, given: bool = False, key: bool = False) -> "sa.Column[object]":
    return sa.Column(name, sa.Text(), nullable=not (given or key), primary_key=key)


def _time(name: str, *, given: bool = False) -> "sa.Column[object]":
    default = sa.text("now()") if given else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not given, server_default=default)


def _count(
    name: str, default: int = 0, kind: type[sa.Integer] = sa.BigInteger
) -> "sa.Column[object]":
    return sa.Column(name, kind(), nullable=False, server_default=sa.text(str(default)))


def _json(name: str, *, default: str | None = None) -> "sa.Column[object]":
    given = None if default is None else sa.text(f"'{default}'::jsonb")
    return sa.Column(name, postgresql.JSONB(), nullable=default is None, server_default=given)


def upgrade() -> None:
    """Apply."""
    _known_tables()
    _batches()
    _entries()
    _webhooks()
    _reviews()


def _known_tables() -> None:
    for table in ("documents", "dead_letters", "events"):
        op.add_column(table, _text("batch_id"))
    of_batch = sa.text("batch_id IS NOT NULL")
    for name, table, columns in (
        ("documents_by_batch", "documents", ["batch_id", "document_id"]),
        ("dead_letters_by_batch", "dead_letters", ["batch_id", "created_at", "dead_letter_id"]),
        ("events_by_batch", "events", ["batch_id", "sequence"]),
    ):
        op.create_index(name, table, columns, postgresql_where=of_batch)
    op.create_index(
        "documents_to_review",
        "documents",
        ["gpt_id", "confidence", "document_id"],
        postgresql_where=sa.text("needs_review AND deleted_at IS NULL"),
    )


def _batches() -> None:
    op.create_table(
        "batches",
        _text("batch_id", key=True),
        _text("gpt_id", given=True),
        _text("subject"),
        _text("request_id", given=True),
        _text("correlation_id"),
        _text("name"),
        _json("metadata", default="{}"),
        _text("state", given=True),
        _count("last_ordinal"),
        _count("unsettled"),
        _count("last_source", 0, sa.Integer),
        _count("sources", 0, sa.Integer),
        _count("closings", 0, sa.Integer),
        _count("completed_closings", 0, sa.Integer),
        _time("created_at", given=True),
        _time("updated_at", given=True),
        _time("closed_at"),
        _time("completed_at"),
    )
    op.create_index("batches_by_tenant", "batches", ["gpt_id", "created_at", "batch_id"])
    active = sa.text("state IN ('open', 'closed')")
    op.create_index("batches_active", "batches", ["batch_id"], postgresql_where=active)
    op.create_table(
        "batch_tallies",
        _text("batch_id", key=True),
        _text("state", key=True),
        _text("label", key=True),
        _text("gpt_id", given=True),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )


def _entries() -> None:
    op.create_table(
        "batch_entries",
        _text("batch_id", key=True),
        sa.Column("ordinal", sa.BigInteger(), primary_key=True, autoincrement=False),
        _text("gpt_id", given=True),
        sa.Column("document_id", sa.Text(), unique=True),
        _text("request_id"),
        _text("path"),
        # To the byte, as it is published: jsonb would write a number of five bytes as hundreds.
        sa.Column("order", postgresql.JSON()),
        _text("state", given=True),
        sa.Column("label", sa.Text(), nullable=False, server_default=sa.text("''")),
        _json("problem"),
        _time("released_at"),
        _time("settled_at"),
    )
    for name, columns, where in (
        ("queued", ["gpt_id", "batch_id", "ordinal"], "state = 'queued' AND released_at IS NULL"),
        ("in_flight", ["released_at"], "released_at IS NOT NULL AND settled_at IS NULL"),
        ("settled", ["batch_id", "settled_at"], "settled_at IS NOT NULL AND state <> 'cancelled'"),
        ("failed", ["batch_id", "label", "ordinal"], "state = 'failed'"),
        ("by_state", ["batch_id", "state", "ordinal"], None),
        ("by_tenant", ["gpt_id", "batch_id", "ordinal"], None),
    ):
        condition = None if where is None else sa.text(where)
        op.create_index(
            f"batch_entries_{name}", "batch_entries", columns, postgresql_where=condition
        )


def _webhooks() -> None:
    op.create_table(
        "webhooks",
        _text("webhook_id", key=True),
        _text("gpt_id", given=True),
        _text("subject"),
        _text("url", given=True),
        _text("description"),
        sa.Column("events", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("secrets", postgresql.ARRAY(postgresql.BYTEA()), nullable=False),
        _time("old_secrets_end_at"),
        _text("state", given=True),
        _text("paused_reason"),
        _count("failures", 0, sa.Integer),
        _time("failing_since"),
        _time("held_until"),
        sa.Column("slow", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        _time("due_at"),
        _text("owner"),
        _time("lease_until"),
        _count("version", 1),
        _time("created_at", given=True),
        _time("updated_at", given=True),
    )
    op.create_index("webhooks_by_tenant", "webhooks", ["gpt_id", "created_at", "webhook_id"])
    op.create_index(
        "webhooks_due", "webhooks", ["due_at"], postgresql_where=sa.text("due_at IS NOT NULL")
    )
    op.create_table(
        "webhook_deliveries",
        _text("delivery_id", key=True),
        _text("webhook_id", given=True),
        _text("gpt_id", given=True),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        _text("event_type", given=True),
        _text("state", given=True),
        sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        _count("attempts", 0, sa.Integer),
        _count("attempts_before", 0, sa.Integer),
        _time("retry_at"),
        sa.Column("status_code", sa.Integer()),
        sa.Column("latency_ms", sa.Integer()),
        _text("excerpt"),
        _text("error"),
        _time("created_at", given=True),
        _time("tried_at"),
        _time("settled_at"),
        sa.UniqueConstraint("gpt_id", "webhook_id", "sequence", name="webhook_deliveries_once"),
    )
    op.create_index(
        "webhook_deliveries_pending",
        "webhook_deliveries",
        ["webhook_id", "urgent", sa.text("retry_at NULLS FIRST"), "sequence"],
        postgresql_where=sa.text("state = 'pending'"),
    )


def _reviews() -> None:
    op.create_table(
        "reviews",
        _text("request_id", key=True),
        _text("gpt_id", given=True),
        _text("subject"),
        _text("document_id", given=True),
        _text("run_id", given=True),
        _text("decision", given=True),
        sa.Column("fields", postgresql.JSONB(), nullable=False),
        _text("note"),
        _text("decided_by", given=True),
        _time("decided_at", given=True),
    )
    op.create_index("reviews_by_document", "reviews", ["document_id", "decided_at"])
    op.create_index("reviews_by_tenant", "reviews", ["gpt_id", "decided_at"])


def downgrade() -> None:
    """Undo."""
    for table in (
        "reviews",
        "webhook_deliveries",
        "webhooks",
        "batch_entries",
        "batch_tallies",
        "batches",
    ):
        op.drop_table(table)
    op.drop_index("documents_to_review", "documents")
    for table in ("events", "dead_letters", "documents"):
        op.drop_column(table, "batch_id")

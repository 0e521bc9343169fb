"""Retries, redrives, poison isolation, numbered events, worker heartbeats, rebuilds."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def _time(name: str, *, given: bool = False) -> "sa.Column[object]":
    default = sa.text("now()") if given else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not given, server_default=default)


def _count(name: str, kind: type[sa.Integer] = sa.Integer) -> "sa.Column[object]":
    return sa.Column(name, kind(), nullable=False, server_default=sa.text("0"))


def upgrade() -> None:
    """Apply."""
    op.add_column("steps", _time("waiting_since"))
    op.add_column("steps", _count("attempt"))
    op.add_column("steps", sa.Column("attempts_allowed", sa.Integer()))
    op.add_column("steps", _time("retry_at"))
    op.add_column(
        "steps", sa.Column("alone", sa.Boolean(), nullable=False, server_default=sa.text("false"))
    )
    op.add_column("steps", _count("crashes_alone"))
    op.create_index(
        "runs_unfinished",
        "runs",
        ["created_at"],
        postgresql_where=sa.text("completed_at IS NULL"),
    )
    op.create_index("runs_finished", "runs", ["completed_at"])
    _dead_letters()
    op.create_table(
        "event_counters",
        sa.Column("gpt_id", sa.Text(), primary_key=True),
        sa.Column("last", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "events",
        sa.Column("gpt_id", sa.Text(), primary_key=True),
        sa.Column("sequence", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("event_id", sa.Text(), nullable=False, unique=True),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("object_id", sa.Text()),
        sa.Column("request_id", sa.Text()),
        sa.Column("correlation_id", sa.Text()),
        sa.Column("data", postgresql.JSONB(), nullable=False),
        _time("created_at", given=True),
    )
    op.create_table(
        "workers",
        sa.Column("owner", sa.Text(), primary_key=True),
        sa.Column("stages", sa.Text(), nullable=False),
        sa.Column("state", postgresql.JSONB(), nullable=False),
        _time("started_at", given=True),
        _time("seen_at", given=True),
    )
    op.create_table(
        "rebuilds",
        sa.Column("index_name", sa.Text(), primary_key=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("after", sa.Text()),
        _count("done", sa.BigInteger),
        _count("total", sa.BigInteger),
        _time("started_at", given=True),
        _time("updated_at", given=True),
        _time("finished_at"),
    )


def _dead_letters() -> None:
    op.add_column("dead_letters", sa.Column("dead_letter_id", sa.Text()))
    # The same as streams.failures.letter_id gives; made before the column may not be null.
    op.execute(
        "UPDATE dead_letters SET dead_letter_id = "
        "'dl_' || md5(topic || '/' || partition || '/' || record_offset)"
    )
    op.alter_column("dead_letters", "dead_letter_id", nullable=False)
    op.create_unique_constraint(None, "dead_letters", ["dead_letter_id"])
    op.add_column(
        "dead_letters",
        sa.Column("state", sa.Text(), nullable=False, server_default=sa.text("'dead'")),
    )
    op.add_column("dead_letters", sa.Column("decided_by", sa.Text()))
    op.add_column("dead_letters", _time("decided_at"))
    op.add_column("dead_letters", sa.Column("run_id", sa.Text()))
    op.add_column("dead_letters", sa.Column("part", sa.Integer()))


def downgrade() -> None:
    """Undo."""
    for table in ("rebuilds", "workers", "events", "event_counters"):
        op.drop_table(table)
    for column in ("part", "run_id", "decided_at", "decided_by", "state", "dead_letter_id"):
        op.drop_column("dead_letters", column)
    op.drop_index("runs_finished", "runs")
    op.drop_index("runs_unfinished", "runs")
    for column in (
        "crashes_alone",
        "alone",
        "retry_at",
        "attempts_allowed",
        "attempt",
        "waiting_since",
    ):
        op.drop_column("steps", column)

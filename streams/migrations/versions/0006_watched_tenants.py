"""Whose events are looked at for webhooks.

Workers of the version before go on reading all events until they end.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "event_counters",
        sa.Column("watched", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.execute(
        "INSERT INTO event_counters (gpt_id, last, watched) "
        "SELECT DISTINCT gpt_id, 0, true FROM webhooks "
        "ON CONFLICT (gpt_id) DO UPDATE SET watched = true"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_column("event_counters", "watched")

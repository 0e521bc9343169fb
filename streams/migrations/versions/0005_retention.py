"""How far events were removed, the dead letters of a request, the objects of a key.

End users of a key are in the order of their bytes, whatever the database's own order of texts is.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "event_counters",
        sa.Column("forgotten_sequence", sa.BigInteger(), nullable=False, server_default="0"),
    )
    op.create_index("dead_letters_by_request", "dead_letters", ["request_id"])
    op.drop_index("objects_by_key", "objects")
    op.execute(
        "CREATE UNIQUE INDEX objects_by_key ON objects "
        "(collection_id, key, coalesce(subject COLLATE \"C\", '')) "
        "WHERE key IS NOT NULL AND deleted_at IS NULL"
    )
    op.execute(
        "CREATE INDEX objects_gone_by_key ON objects "
        "(collection_id, key, coalesce(subject COLLATE \"C\", ''), version) "
        "WHERE key IS NOT NULL AND deleted_at IS NOT NULL"
    )


def downgrade() -> None:
    """Undo."""
    op.drop_index("objects_gone_by_key", "objects")
    op.drop_index("objects_by_key", "objects")
    op.execute(
        "CREATE UNIQUE INDEX objects_by_key ON objects (collection_id, key, coalesce(subject, '')) "
        "WHERE key IS NOT NULL AND deleted_at IS NULL"
    )
    op.drop_index("dead_letters_by_request", "dead_letters")
    op.drop_column("event_counters", "forgotten_sequence")

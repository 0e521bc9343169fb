"""What a feed of changes needs to be told apart: its start, and what came or came back; and checks.

`tenant_objects` is made again, since a view has the columns that its table had.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_VIEW = """
VIEW tenant_objects AS SELECT * FROM objects
WHERE gpt_id = current_setting('actionstream.gpt_id', true)
OR current_setting('actionstream.gpt_id', true) = '*'
"""


def upgrade() -> None:
    """Apply."""
    op.add_column(
        "gpts",
        sa.Column("dropped_sequence", sa.BigInteger(), nullable=False, server_default=sa.text("0")),
    )
    op.execute(
        "UPDATE gpts SET dropped_sequence = dropped.last FROM ("
        "SELECT gpt_id, max(sequence) AS last FROM collections "
        "WHERE deleted_at IS NOT NULL GROUP BY gpt_id) AS dropped "
        "WHERE gpts.gpt_id = dropped.gpt_id"
    )
    op.add_column(
        "collections",
        sa.Column("schema_checked", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    op.execute(
        "UPDATE collections SET schema_checked = false "
        "WHERE json_schema IS NOT NULL AND object_count > 0"
    )
    op.add_column("objects", sa.Column("first_version", sa.BigInteger()))
    op.execute(f"CREATE OR REPLACE {_VIEW}")


def downgrade() -> None:
    """Undo."""
    op.execute("DROP VIEW tenant_objects")
    op.drop_column("objects", "first_version")
    op.execute(f"CREATE {_VIEW}")
    op.drop_column("collections", "schema_checked")
    op.drop_column("gpts", "dropped_sequence")

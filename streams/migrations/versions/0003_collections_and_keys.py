"""Tenants with quotas and keys; collections, objects and their versions; the gateway's own schema.

Row-level security is a matter of roles, so `streams/bootstrap.py` switches it on.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: Sequence[str] | None = None
depends_on: Sequence[str] | None = None

_SLOTS = 4


def _time(name: str, *, given: bool = False) -> "sa.Column[object]":
    default = sa.text("now()") if given else None
    return sa.Column(name, sa.DateTime(timezone=True), nullable=not given, server_default=default)


def _count(
    name: str, default: int = 0, kind: type[sa.Integer] = sa.BigInteger
) -> "sa.Column[object]":
    return sa.Column(name, kind(), nullable=False, server_default=sa.text(str(default)))


def upgrade() -> None:
    """Apply."""
    op.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
    _tenants()
    _collections()
    _objects()
    _edge()


def _tenants() -> None:
    for column in (
        sa.Column("max_objects", sa.BigInteger()),
        sa.Column("max_bytes", sa.BigInteger()),
        _count("object_count"),
        _count("byte_count"),
        _time("deleted_at"),
        _time("updated_at", given=True),
    ):
        op.add_column("gpts", column)
    op.create_table(
        "api_keys",
        sa.Column("key_id", sa.Text(), primary_key=True),
        sa.Column("gpt_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("rate_limits", sa.Text()),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("request_id", sa.Text()),
        sa.Column("replaced_by", sa.Text()),
        _time("expires_at"),
        _time("revoked_at"),
        _time("created_at", given=True),
    )
    op.create_index("api_keys_by_tenant", "api_keys", ["gpt_id", "created_at", "key_id"])


def _collections() -> None:
    op.create_table(
        "collections",
        sa.Column("collection_id", sa.Text(), primary_key=True),
        sa.Column("gpt_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("json_schema", postgresql.JSONB()),
        sa.Column("search", postgresql.JSONB()),
        sa.Column(
            "indexes", postgresql.JSONB(), nullable=False, server_default=sa.text("'{}'::jsonb")
        ),
        _count("shape", 1, sa.Integer),
        _count("shaped", 1, sa.Integer),
        _count("keep_versions", 10, sa.Integer),
        sa.Column("default_ttl_s", sa.BigInteger()),
        sa.Column("max_objects", sa.BigInteger()),
        sa.Column("max_bytes", sa.BigInteger()),
        _count("object_count"),
        _count("byte_count"),
        _count("sequence"),
        _count("forgotten_sequence"),
        _time("last_created_at"),
        _count("version", 1),
        _time("created_at", given=True),
        _time("updated_at", given=True),
        _time("deleted_at"),
    )
    op.create_index(
        "collections_by_name",
        "collections",
        ["gpt_id", "name"],
        unique=True,
        postgresql_where=sa.text("deleted_at IS NULL"),
    )


def _objects() -> None:
    op.create_table(
        "objects",
        sa.Column("object_id", sa.Text(), primary_key=True),
        sa.Column("gpt_id", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("key", sa.Text()),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        _count("version", 1),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("slots", postgresql.JSONB()),
        sa.Column("filterable", sa.Boolean(), nullable=False, server_default=sa.text("false")),
        sa.Column("words", postgresql.TSVECTOR()),
        sa.Column("fragments", sa.Text()),
        sa.Column("indexed_version", sa.BigInteger()),
        _count("entry_count", 0, sa.Integer),
        _time("created_at", given=True),
        _time("updated_at", given=True),
        _time("expires_at"),
        _time("deleted_at"),
    )
    alive = "deleted_at IS NULL"
    for name, columns, where in (
        ("in_order", "collection_id, created_at, object_id", alive),
        (
            "of_subject",
            "collection_id, subject, created_at, object_id",
            f"{alive} AND subject IS NOT NULL",
        ),
        ("by_change", "collection_id, sequence", None),
        ("of_subject_by_change", "collection_id, subject, sequence", "subject IS NOT NULL"),
        ("to_expire", "expires_at, object_id", f"expires_at IS NOT NULL AND {alive}"),
        ("to_forget", "deleted_at", "deleted_at IS NOT NULL"),
        *(
            (
                f"slot_{slot}",
                f"collection_id, (slots -> {slot}), created_at, object_id",
                f"(slots -> {slot}) IS NOT NULL AND {alive}",
            )
            for slot in range(_SLOTS)
        ),
    ):
        _index(f"objects_{name}", columns, where)
    _index(
        "objects_by_key",
        "collection_id, key, coalesce(subject, '')",
        f"key IS NOT NULL AND {alive}",
        unique="UNIQUE",
    )
    for name, column, where in (
        ("containing", "body jsonb_path_ops", "filterable"),
        ("with_words", "words", "words IS NOT NULL"),
        ("with_fragments", "fragments gin_trgm_ops", "fragments IS NOT NULL"),
    ):
        op.execute(
            f"CREATE INDEX objects_{name} ON objects USING gin (collection_id, {column}) "
            f"WHERE {where} AND {alive}"
        )
    op.create_table(
        "object_versions",
        sa.Column("object_id", sa.Text(), primary_key=True),
        sa.Column("version", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("gpt_id", sa.Text(), nullable=False),
        sa.Column("collection_id", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("body", postgresql.JSONB(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("object_versions_of_collection", "object_versions", ["collection_id"])
    # Under row-level security no index serves an operator that is not leakproof, which are all of
    # jsonb's and of text search. A view with the policy's own condition lets them be used.
    op.execute(
        "CREATE VIEW tenant_objects AS SELECT * FROM objects "
        "WHERE gpt_id = current_setting('actionstream.gpt_id', true) "
        "OR current_setting('actionstream.gpt_id', true) = '*'"
    )


def _index(name: str, columns: str, where: str | None, unique: str = "") -> None:
    suffix = "" if where is None else f" WHERE {where}"
    op.execute(f"CREATE {unique} INDEX {name} ON objects ({columns}){suffix}")


def _edge() -> None:
    op.execute("CREATE SCHEMA IF NOT EXISTS edge")
    op.execute(
        "CREATE UNLOGGED TABLE edge.buckets (scope text PRIMARY KEY, "
        "granted double precision NOT NULL, full_at timestamptz NOT NULL)"
    )
    op.execute(
        "CREATE UNLOGGED TABLE edge.key_uses (key_id text PRIMARY KEY, "
        "used_at timestamptz NOT NULL)"
    )


def downgrade() -> None:
    """Undo."""
    op.execute("DROP SCHEMA edge CASCADE")
    op.execute("DROP VIEW tenant_objects")
    for table in ("object_versions", "objects", "collections", "api_keys"):
        op.drop_table(table)
    for column in (
        "updated_at",
        "deleted_at",
        "byte_count",
        "object_count",
        "max_bytes",
        "max_objects",
    ):
        op.drop_column("gpts", column)

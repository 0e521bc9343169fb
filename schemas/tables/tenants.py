"""Tenants and the keys that open them."""

from typing import Final

from sqlalchemy import BigInteger, Column, DateTime, Index, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY

from schemas.tables.catalogue import METADATA, created_at, updated_at

GPTS: Final = Table(
    "gpts",
    METADATA,
    Column("gpt_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("max_objects", BigInteger),
    Column("max_bytes", BigInteger),
    Column("object_count", BigInteger, nullable=False, server_default=text("0")),
    Column("byte_count", BigInteger, nullable=False, server_default=text("0")),
    Column("dropped_sequence", BigInteger, nullable=False, server_default=text("0")),
    Column("disabled_at", DateTime(timezone=True)),
    Column("deleted_at", DateTime(timezone=True)),
    created_at(),
    updated_at(),
)
"""One row a GPT, which is a tenant. `max_objects` and `max_bytes` (null: the installation's) bound
all its collections together; the counts are of its live objects. `dropped_sequence` is the highest
number that a change in one of its deleted collections had: a new one of the same name counts on
from there. A deleted GPT keeps its row, so that its id is never given again."""

API_KEYS: Final = Table(
    "api_keys",
    METADATA,
    Column("key_id", Text, primary_key=True),
    Column("gpt_id", Text, nullable=False),
    Column("subject", Text),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("rate_limits", Text),
    Column("hash", LargeBinary, nullable=False),
    Column("request_id", Text),
    Column("replaced_by", Text),
    Column("expires_at", DateTime(timezone=True)),
    Column("revoked_at", DateTime(timezone=True)),
    created_at(),
    Index("api_keys_by_tenant", "gpt_id", "created_at", "key_id"),
)
"""One row a key; of its secret only the HMAC-SHA256 under the pepper (`schemas/keys.py`).

`rate_limits` replaces the installation's limits for this key, in the same syntax. `subject` binds
the key to one end user of the GPT."""

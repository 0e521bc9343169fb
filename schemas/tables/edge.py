"""The gateway's own tables, in the database schema `edge`: the only ones that it may write.

What is in them may be lost: buckets of rate limits begin full again, and uses of keys are for show.
"""

from typing import Final

from sqlalchemy import Column, DateTime, Float, MetaData, Table, Text

EDGE: Final = MetaData(schema="edge")

BUCKETS: Final = Table(
    "buckets",
    EDGE,
    Column("scope", Text, primary_key=True),
    Column("tokens", Float, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],
)
"""One row a token bucket; `scope` names the limit and whom it counts."""

KEY_USES: Final = Table(
    "key_uses",
    EDGE,
    Column("key_id", Text, primary_key=True),
    Column("used_at", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],
)
"""When each key was last used, to the minute."""

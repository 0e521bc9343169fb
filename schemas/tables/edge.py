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
    Column("granted", Float, nullable=False),
    Column("full_at", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],
)
"""One row a token bucket that is not full; `scope` names the limit and whom it counts.

`full_at` is when it will be full again: it lacks the tokens that come back until then. `granted` is
what the last taking got, for that one to read."""

KEY_USES: Final = Table(
    "key_uses",
    EDGE,
    Column("key_id", Text, primary_key=True),
    Column("used_at", DateTime(timezone=True), nullable=False),
    prefixes=["UNLOGGED"],
)
"""When each key was last used, to the minute."""

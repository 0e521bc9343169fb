"""What the gateway writes to Postgres, all of it in the database schema `edge`.

One connection, one short statement at a time: what comes together is taken together. Nobody waits
here for longer than half a second, or two where a connection is to be opened.
"""

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any, Final, LiteralString, NamedTuple

import psycopg
from sqlalchemy import make_url

from gateway.settings import GatewaySettings
from schemas.rate_limits import Limit

AHEAD: Final = 0.1
"""The share of what is in a bucket that is leased beside what is needed at once."""
STATEMENT_S: Final = 0.5
_CONNECT_S: Final = 2.0
_SWEPT_AT_ONCE: Final = 1000

_TAKE: Final = """
WITH asked AS (
  SELECT * FROM unnest(
    %(scopes)s::text[], %(capacities)s::float8[], %(rates)s::float8[], %(needs)s::float8[]
  ) AS a (scope, capacity, rate, need)
)
INSERT INTO edge.buckets AS b (scope, granted, full_at)
SELECT scope, granted, now() + make_interval(secs => granted / rate)
FROM asked, LATERAL (
  SELECT least(capacity, need + floor(capacity * %(ahead)s::float8)) AS granted
) AS g
ORDER BY scope
ON CONFLICT (scope) DO UPDATE SET (granted, full_at) = (
  SELECT
    g.granted,
    least(greatest(b.full_at, now()), now() + make_interval(secs => capacity / rate))
      + make_interval(secs => g.granted / rate)
  FROM asked, LATERAL (
    SELECT capacity - rate * greatest(0, extract(epoch FROM b.full_at - now())::float8) AS there
  ) AS t, LATERAL (
    SELECT greatest(
      least(need, 0),
      least(floor(there + 1e-6), need + floor(there * %(ahead)s::float8))
    ) AS granted
  ) AS g
  WHERE asked.scope = b.scope
)
RETURNING scope, granted, extract(epoch FROM full_at - now())::float8
"""
# Rows are locked in the order of their names, so that no two statements wait for each other. A
# bucket that is asked for is never fuller than its limit now allows, nor emptier than empty.

_SWEEP: Final = """
DELETE FROM edge.buckets WHERE scope IN (
  SELECT scope FROM edge.buckets WHERE full_at < now() LIMIT %(most)s FOR UPDATE SKIP LOCKED
)
"""
_NOTE_USES: Final = """
INSERT INTO edge.key_uses AS u (key_id, used_at)
SELECT key_id, date_trunc('minute', now() - make_interval(secs => ago))
FROM unnest(%(ids)s::text[], %(ago)s::float8[]) AS a (key_id, ago)
ORDER BY key_id
ON CONFLICT (key_id) DO UPDATE SET used_at = greatest(u.used_at, excluded.used_at)
"""


class StoreAway(Exception):
    """Postgres cannot be reached, takes too long, or has no such tables for us."""


class Ask(NamedTuple):
    """Tokens that are wanted of a bucket, at least `need`; below 0 they are given back."""

    scope: str
    limit: Limit
    need: int


class Grant(NamedTuple):
    """What a bucket gave: whole tokens, and the seconds until it is full again."""

    scope: str
    granted: int
    full_in_s: float


class _Connection(psycopg.AsyncConnection[tuple[Any, ...]]):
    """A connection that ends with its statement, where that is given up."""

    async def cancel_safe(self, *, timeout: float = 0) -> None:  # noqa: ASYNC109 - psycopg's own
        """Close the socket, since whoever waits has no time to ask the server."""
        self.pgconn.finish()
        raise psycopg.errors.CancellationTimeout(f"not waited for, not even {timeout:g} s")


class Store:
    """The tables of the schema `edge`, through one connection that is opened when it is needed."""

    def __init__(self, settings: GatewaySettings) -> None:
        url = make_url(settings.gateway_database_url.get_secret_value())
        self._url = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._lock = asyncio.Lock()
        self._connection: _Connection | None = None

    async def take(self, asks: Iterable[Ask], *, ahead: float = AHEAD) -> list[Grant]:
        """Take tokens of several buckets in one statement, by the database's clock.

        Args:
            asks: each bucket once.
            ahead: the share of what is there that is taken beside what is needed.

        Returns: what each bucket gave, which may be nothing.

        Raises:
            StoreAway: nothing is known of the buckets.
        """
        listed = list(asks)
        rows = await self._run(
            _TAKE,
            {
                "scopes": [one.scope for one in listed],
                "capacities": [float(one.limit.count) for one in listed],
                "rates": [one.limit.per_second for one in listed],
                "needs": [float(one.need) for one in listed],
                "ahead": ahead,
            },
        )
        return [Grant(scope, int(granted), full_in_s) for scope, granted, full_in_s in rows]

    async def sweep(self) -> None:
        """Remove some of the buckets that are full. Raises: StoreAway."""
        await self._run(_SWEEP, {"most": _SWEPT_AT_ONCE})

    async def note_uses(self, ago_s: Mapping[str, float]) -> None:
        """Note when keys were last used, by seconds before now. Raises: StoreAway."""
        await self._run(_NOTE_USES, {"ids": list(ago_s), "ago": list(ago_s.values())})

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()

    async def _run(
        self, sql: LiteralString, parameters: Mapping[str, object]
    ) -> list[tuple[Any, ...]]:
        async with self._lock:
            try:
                connection = self._connection or await self._opened()
                async with asyncio.timeout(STATEMENT_S):
                    cursor = await connection.execute(sql, parameters)
                    return await cursor.fetchall() if cursor.description else []
            except (psycopg.Error, OSError, TimeoutError) as error:
                await self.close()
                raise StoreAway(type(error).__name__) from error

    async def _opened(self) -> _Connection:
        async with asyncio.timeout(_CONNECT_S):
            self._connection = await _Connection.connect(
                self._url,
                autocommit=True,
                prepare_threshold=1,
                application_name="actionstream-gateway-edge",
                options=f"-c statement_timeout={STATEMENT_S * 1000:.0f} -c timezone=UTC",
            )
        return self._connection

"""Reads from Postgres: one statement a call, read-only, bounded in time, for one tenant.

Row-level security lets a connection see the rows of the tenant that it is set to, and none before.
A connection remembers that tenant, so that most reads need no statement beside their own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from gateway.errors import Unavailable
from gateway.settings import GatewaySettings

Row = Mapping[str, Any]

EVERYONE: Final = "*"
"""In the place of a tenant: the rows of all, for health, administration and looking up keys."""

SET_TENANT: Final = "SELECT set_config('actionstream.gpt_id', %s, false)"
AWAY: Final = "the database cannot be reached; try again"
POOL_WAIT_S: Final = 5
_CONNECT_S: Final = 3


def connection_options(settings: GatewaySettings) -> dict[str, Any]:
    """Returns: what every connection to Postgres is opened with: reading only, bounded in time."""
    timeout_ms = int(settings.statement_timeout.total_seconds() * 1000)
    return {
        "connect_timeout": _CONNECT_S,
        "application_name": "actionstream-gateway",
        "options": f"-c statement_timeout={timeout_ms}"
        " -c default_transaction_read_only=on -c timezone=UTC",
    }


class Reader:
    """Postgres as the gateway sees it: it can only read."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._engine: AsyncEngine = create_async_engine(
            settings.gateway_database_url.get_secret_value(),
            isolation_level="AUTOCOMMIT",
            pool_size=settings.gateway_database_pool,
            max_overflow=0,
            pool_timeout=POOL_WAIT_S,
            pool_pre_ping=False,
            hide_parameters=True,
            connect_args=connection_options(settings),
        )

    async def rows(self, statement: Select[Any], tenant: str) -> Sequence[Row]:
        """Returns: all rows of a query.

        Args:
            statement: the query.
            tenant: whose rows alone it can see; `EVERYONE` for those of all.

        Raises:
            Unavailable: Postgres is away, overloaded, or took longer than the limit.
        """
        try:
            return await self._read(statement, tenant)
        except (OperationalError, InterfaceError) as error:
            if not error.connection_invalidated:
                raise Unavailable(AWAY) from error
        except (PoolTimeout, OSError, TimeoutError) as error:
            raise Unavailable(AWAY) from error
        # The pool held connections of a server that has since restarted; reads may be repeated.
        try:
            return await self._read(statement, tenant)
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            raise Unavailable(AWAY) from error

    async def row(self, statement: Select[Any], tenant: str) -> Row | None:
        """Returns: the first row of a query, if there is one; raises as `rows` does."""
        found = await self.rows(statement, tenant)
        return found[0] if found else None

    async def ping(self) -> None:
        """Run an empty query.

        Raises:
            SQLAlchemyError, OSError: Postgres does not answer.
        """
        async with self._engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()

    async def _read(self, statement: Select[Any], tenant: str) -> Sequence[Row]:
        async with self._engine.connect() as connection:
            await _set(connection, tenant)
            result = await connection.execute(statement)
            rows: Sequence[Row] = result.mappings().all()
            return rows


async def _set(connection: AsyncConnection, tenant: str) -> None:
    # `info` lives as long as the connection itself, not only until it goes back to the pool.
    if connection.info.get("tenant") != tenant:
        connection.info["tenant"] = None
        await connection.exec_driver_sql(SET_TENANT, (tenant,))
        connection.info["tenant"] = tenant

"""Reads from Postgres: one statement a call, read-only, bounded in time."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Select, text
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from gateway.errors import Unavailable
from gateway.settings import GatewaySettings

Row = Mapping[str, Any]

_AWAY = "the database cannot be reached; try again"
_CONNECT_S: Final = 3
_POOL_WAIT_S: Final = 5


class Reader:
    """Postgres as the gateway sees it: it can only read."""

    def __init__(self, settings: GatewaySettings) -> None:
        timeout_ms = int(settings.statement_timeout.total_seconds() * 1000)
        self._engine: AsyncEngine = create_async_engine(
            settings.gateway_database_url.get_secret_value(),
            isolation_level="AUTOCOMMIT",
            pool_size=settings.gateway_database_pool,
            max_overflow=0,
            pool_timeout=_POOL_WAIT_S,
            pool_pre_ping=False,
            hide_parameters=True,
            connect_args={
                "connect_timeout": _CONNECT_S,
                "application_name": "actionstream-gateway",
                "options": f"-c statement_timeout={timeout_ms}"
                " -c default_transaction_read_only=on -c timezone=UTC",
            },
        )

    async def rows(self, statement: Select[Any]) -> Sequence[Row]:
        """Returns: all rows of a query.

        Raises:
            Unavailable: Postgres is away, overloaded, or took longer than the limit.
        """
        try:
            return await self._read(statement)
        except (OperationalError, InterfaceError) as error:
            if not error.connection_invalidated:
                raise Unavailable(_AWAY) from error
        except (PoolTimeout, OSError, TimeoutError) as error:
            raise Unavailable(_AWAY) from error
        # The pool held connections of a server that has since restarted; reads may be repeated.
        try:
            return await self._read(statement)
        except (DBAPIError, PoolTimeout, OSError, TimeoutError) as error:
            raise Unavailable(_AWAY) from error

    async def row(self, statement: Select[Any]) -> Row | None:
        """Returns: the first row of a query, if there is one; raises as `rows` does."""
        found = await self.rows(statement)
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

    async def _read(self, statement: Select[Any]) -> Sequence[Row]:
        async with self._engine.connect() as connection:
            result = await connection.execute(statement)
            rows: Sequence[Row] = result.mappings().all()
            return rows

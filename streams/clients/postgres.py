"""Postgres: transactions whose connection errors are told apart from wrong statements."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import psycopg
from sqlalchemy import func, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streams.errors import DependencyDown

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000

# Connection faults, resources and operator intervention pass by themselves, as do conflicts
# between transactions: https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_CLASSES = ("08", "40", "53", "55", "57", "58")


class Database:
    """A pool of connections to Postgres."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @classmethod
    def connect(cls, url: str, *, pool: int) -> "Database":
        """Returns: a database that opens its connections when they are first needed."""
        options = f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c lock_timeout={LOCK_TIMEOUT_MS}"
        engine = create_async_engine(
            url,
            pool_size=pool,
            max_overflow=0,
            pool_timeout=10,
            connect_args={"options": options, "connect_timeout": 5},
        )
        return cls(engine)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection; commit at the end, roll back on an error.

        Raises: DependencyDown: Postgres is away, or the transaction met one that passes by itself.
        """
        try:
            async with self._engine.begin() as connection:
                yield connection
        except PoolTimeoutError as error:
            raise DependencyDown("postgres", "no free connection in the pool") from error
        except DBAPIError as error:
            if passes(error):
                raise DependencyDown("postgres", _reason(error)) from error
            raise
        except OSError as error:
            raise DependencyDown("postgres", str(error)) from error

    @asynccontextmanager
    async def alone(self, name: str) -> AsyncIterator["Alone | None"]:
        """Yield a hold on this name that no other process has, or None while another has it.

        The hold ends with its connection, so that it never outlives the process.

        Raises: DependencyDown: Postgres is away.
        """
        key = func.hashtextextended(literal(name), text("0"))
        try:
            async with self._engine.connect() as opened:
                connection = await opened.execution_options(isolation_level="AUTOCOMMIT")
                held = await connection.scalar(select(func.pg_try_advisory_lock(key)))
                try:
                    yield Alone(connection) if held else None
                finally:
                    # Without the connection there is nothing to give back.
                    with suppress(DBAPIError):
                        if held:
                            await connection.execute(select(func.pg_advisory_unlock(key)))
        except OSError as error:
            raise DependencyDown("postgres", str(error)) from error

    async def ping(self) -> None:
        """Raises: DependencyDown: Postgres does not answer."""
        async with self.transaction() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


class Alone:
    """A hold on a name, as long as its connection lives."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def lasts(self) -> bool:
        """Returns: whether no other process can have got hold of the name meanwhile."""
        try:
            await self._connection.execute(text("SELECT 1"))
        except DBAPIError:
            return False
        return True


def passes(error: DBAPIError) -> bool:
    """Returns: whether the same statement may succeed later, all else being equal."""
    if error.connection_invalidated:
        return True
    state = getattr(error.orig, "sqlstate", None)
    if state is None:
        return isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    return str(state).startswith(_PASSING_CLASSES)


def _reason(error: DBAPIError) -> str:
    first, *_ = str(error.orig).splitlines() or [type(error.orig).__name__]
    return first

"""Postgres: transactions whose connection errors are told apart from wrong statements."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import psycopg
from sqlalchemy import Executable, func, literal, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from streams.clients.connection import Connection
from streams.errors import DependencyDown, TooLong

STATEMENT_TIMEOUT_MS = 30_000
LOCK_TIMEOUT_MS = 10_000
IDLE_TIMEOUT_MS = 20_000
"""Where a worker stands still within a transaction, the server ends it, and with it its locks."""
TRANSACTION_SECONDS = 45.0
"""Above the statement timeout, which only a server that lives can keep."""

# Connection faults, resources and operator intervention pass by themselves, as do conflicts
# between transactions: https://www.postgresql.org/docs/current/errcodes-appendix.html
_PASSING_CLASSES = ("08", "25P03", "25P04", "40", "53", "55", "57", "58")
# The time limits of a statement, of a transaction that stands still, and of a whole one.
_LIMITS = frozenset({"57014", "25P03", "25P04"})
# A peer that is gone without a word is found within half a minute.
_KEEPALIVES = {
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 25_000,
}
# Rows are looked up by keys, so a plan is made once, and one that is made while a table is small
# must hold when it is large: planning a statement of 0.2 ms took 2 to 5.
_PLANS = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off", "jit": "off"}


class Database:
    """A pool of connections to Postgres."""

    def __init__(
        self, engine: AsyncEngine, *, transaction_seconds: float = TRANSACTION_SECONDS
    ) -> None:
        self._engine = engine
        self._longest = transaction_seconds

    @classmethod
    def connect(
        cls, url: str, *, pool: int, transaction_seconds: float = TRANSACTION_SECONDS
    ) -> "Database":
        """Returns: a database that opens its connections when they are first needed."""
        options = {
            "statement_timeout": STATEMENT_TIMEOUT_MS,
            "lock_timeout": LOCK_TIMEOUT_MS,
            "idle_in_transaction_session_timeout": IDLE_TIMEOUT_MS,
            **_PLANS,
        }
        engine = create_async_engine(
            url,
            pool_size=pool,
            max_overflow=0,
            pool_use_lifo=True,
            hide_parameters=True,
            pool_timeout=10,
            connect_args={
                "async_creator_fn": Connection.connect,
                "options": " ".join(f"-c {name}={value}" for name, value in options.items()),
                "connect_timeout": 5,
                **_KEEPALIVES,
            },
        )
        return cls(engine, transaction_seconds=transaction_seconds)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """Yield a connection; commit at the end, roll back on an error.

        Raises:
            DependencyDown: Postgres is away or does not answer, or the transaction met an error
                that passes by itself.
            TooLong: it met a time limit.
        """
        try:
            async with asyncio.timeout(self._longest), self._engine.begin() as connection:
                try:
                    yield connection
                except asyncio.CancelledError:
                    # A rollback would wait for an answer; a connection that ends is rolled back.
                    await connection.invalidate()
                    raise
        except TimeoutError as error:
            detail = f"a transaction did not end within {self._longest:g} s"
            raise TooLong("postgres", detail) from error
        except PoolTimeoutError as error:
            raise DependencyDown("postgres", "no free connection in the pool") from error
        except DBAPIError as error:
            if _state(error) in _LIMITS:
                raise TooLong("postgres", _reason(error)) from error
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
                held = await self._answered(connection, select(func.pg_try_advisory_lock(key)))
                try:
                    yield Alone(connection, self._answered) if held else None
                finally:
                    # Without the connection there is nothing to give back.
                    with suppress(DBAPIError, DependencyDown):
                        if held and not connection.invalidated:
                            await self._answered(connection, select(func.pg_advisory_unlock(key)))
        except PoolTimeoutError as error:
            raise DependencyDown("postgres", "no free connection in the pool") from error
        except DBAPIError as error:
            if passes(error):
                raise DependencyDown("postgres", _reason(error)) from error
            raise
        except OSError as error:
            raise DependencyDown("postgres", str(error)) from error

    async def _answered(self, connection: AsyncConnection, statement: Executable) -> Any:  # noqa: ANN401 - any value
        """Returns: the value of a statement outside of transactions.

        Raises: DependencyDown: there is none in the time of a transaction; the connection is gone.
        """
        try:
            async with asyncio.timeout(self._longest):
                return await connection.scalar(statement)
        except TimeoutError as error:
            await connection.invalidate()
            raise DependencyDown("postgres", "no answer on a connection") from error

    async def ping(self) -> None:
        """Raises: DependencyDown: Postgres does not answer."""
        async with self.transaction() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close all connections."""
        await self._engine.dispose()


class Alone:
    """A hold on a name, as long as its connection lives."""

    def __init__(
        self,
        connection: AsyncConnection,
        answered: Callable[[AsyncConnection, Executable], Awaitable[Any]],
    ) -> None:
        self._connection = connection
        self._answered = answered

    async def lasts(self) -> bool:
        """Returns: whether no other process can have got hold of the name meanwhile."""
        try:
            await self._answered(self._connection, text("SELECT 1"))
        except (DBAPIError, DependencyDown):
            return False
        return True


async def execute(
    connection: AsyncConnection,
    statement: str,
    parameters: Any = (),  # noqa: ANN401 - as the driver takes them
) -> list[tuple[Any, ...]]:
    """Run a statement that is written for the driver, past SQLAlchemy, in its transaction.

    That is for what is run again and again: a transaction of ten such statements took 2.5 ms of CPU
    by `exec_driver_sql`, and takes 1.4 ms so.

    Returns: its rows, if it gives any.
    Raises: DBAPIError: Postgres refused it, or is away.
    """
    driver = _driver(connection)
    try:
        cursor = await driver.execute(statement.encode(), parameters)
        # Psycopg makes a description of the columns anew for whoever looks at it.
        return [] if cursor.rownumber is None else await cursor.fetchall()
    except psycopg.Error as error:
        if driver.closed:
            await connection.invalidate(error)
        raise DBAPIError(
            statement, None, error, hide_parameters=True, connection_invalidated=driver.closed
        ) from error


def _driver(connection: AsyncConnection) -> psycopg.AsyncConnection[Any]:
    # SQLAlchemy's own way there is a coroutine, which costs a third of what going round it saves.
    begun: Any = connection.sync_connection
    driver: psycopg.AsyncConnection[Any] = begun.connection.driver_connection
    return driver


def passes(error: DBAPIError) -> bool:
    """Returns: whether the same statement may succeed later, all else being equal."""
    if error.connection_invalidated:
        return True
    state = _state(error)
    if state is None:
        return isinstance(error.orig, psycopg.OperationalError | psycopg.InterfaceError)
    return state.startswith(_PASSING_CLASSES)


def _state(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _reason(error: DBAPIError) -> str:
    first, *_ = str(error.orig).splitlines() or [type(error.orig).__name__]
    return first

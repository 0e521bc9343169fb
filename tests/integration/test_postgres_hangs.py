"""A Postgres that stops answering: nothing waits for it for ever, and it is found when it is back.

A proxy before the real server goes silent: it takes connections and passes nothing on, as a server
that was stopped or a network that drops packets.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress

import psycopg
import pytest
import uvloop
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from streams.clients.postgres import Database, execute
from streams.errors import DependencyDown, TooLong
from streams.settings import Settings

LIMIT_S = 1.0
SOON_S = 5.0
"""Psycopg alone would take ten seconds to give a cancelled task back."""


class Proxy:
    """Passes bytes on while `open` is set."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._clients: set[asyncio.Task[None]] = set()
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if client := asyncio.current_task():
            self._clients.add(client)
        there_reader, there_writer = await asyncio.open_connection(*self._there)
        passing = [
            asyncio.create_task(self._pass(reader, there_writer)),
            asyncio.create_task(self._pass(there_reader, writer)),
        ]
        try:
            await asyncio.wait(passing, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in passing:
                task.cancel()
            await asyncio.gather(*passing, return_exceptions=True)
            for end in (writer, there_writer):
                end.close()
                with suppress(ConnectionError):
                    await end.wait_closed()

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                await self.open.wait()
                target.write(data)
                await target.drain()

    async def end(self) -> None:
        """Close what is left: requests to cancel, which nobody answered, are never closed."""
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[tuple[Proxy, int]]:
    """A proxy and its port."""
    url = make_url(settings.database_url.get_secret_value())
    proxy = Proxy(url.host or "", url.port or 0)
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    yield proxy, server.sockets[0].getsockname()[1]
    server.close()
    await proxy.end()


def behind(settings: Settings, port: int, *, transaction_seconds: float) -> Database:
    """The database behind the proxy."""
    url = make_url(settings.database_url.get_secret_value()).set(host="127.0.0.1", port=port)
    shown = url.render_as_string(hide_password=False)
    return Database.connect(shown, pool=2, transaction_seconds=transaction_seconds)


@pytest.fixture
async def database(settings: Settings, proxy: tuple[Proxy, int]) -> AsyncIterator[Database]:
    """The database behind the proxy, with short transactions."""
    database = behind(settings, proxy[1], transaction_seconds=LIMIT_S)
    yield database
    await database.close()


@pytest.mark.parametrize("warm", [True, False], ids=["pooled", "new"])
async def test_a_silent_server_is_an_outage_and_recovers(
    database: Database, proxy: tuple[Proxy, int], *, warm: bool
) -> None:
    """A transaction ends in time as an outage; the next one after the silence succeeds."""
    if warm:
        await database.ping()
    proxy[0].open.clear()
    began = time.monotonic()
    for _ in range(3):
        with pytest.raises(DependencyDown):
            await database.ping()
    assert time.monotonic() - began < 3 * (LIMIT_S + SOON_S)

    proxy[0].open.set()
    await database.ping()


async def test_a_hold_on_a_name_ends_with_the_silence_of_the_server(
    database: Database, proxy: tuple[Proxy, int]
) -> None:
    """Neither getting it nor asking for it waits for ever; afterwards it can be had again."""
    async with database.alone("a name") as hold:
        assert hold is not None
        proxy[0].open.clear()
        assert not await hold.lasts()
    with pytest.raises(DependencyDown):
        async with database.alone("a name"):
            pytest.fail("nobody has granted it")

    proxy[0].open.set()
    async with database.alone("another name") as hold:
        assert hold is not None


async def test_a_failed_body_does_not_wait_for_its_rollback(
    database: Database, proxy: tuple[Proxy, int]
) -> None:
    """When the server falls silent before the rollback, the limit holds for that too."""

    async def fail() -> None:
        async with database.transaction() as connection:
            await connection.execute(text("SELECT 1"))
            proxy[0].open.clear()
            raise ValueError

    with pytest.raises(DependencyDown):
        await fail()
    proxy[0].open.set()
    await database.ping()


async def between(connection: AsyncConnection, reached: asyncio.Event) -> None:
    """Stand between two statements."""
    await connection.execute(text("SELECT 1"))
    reached.set()
    await asyncio.Event().wait()


async def within(connection: AsyncConnection, reached: asyncio.Event) -> None:
    """Wait for a statement."""
    await connection.execute(text("SELECT 1"))
    asyncio.get_running_loop().call_later(0.2, reached.set)
    await connection.execute(text("SELECT pg_sleep(30)"))


Body = Callable[[AsyncConnection, asyncio.Event], Awaitable[None]]


@pytest.mark.parametrize("body", [between, within])
async def test_a_task_that_is_cancelled_comes_back_from_a_silent_server(
    settings: Settings, proxy: tuple[Proxy, int], body: Body
) -> None:
    """Shutdown waits neither for the statement, nor for the server to hear of its end."""
    reached = asyncio.Event()
    database = behind(settings, proxy[1], transaction_seconds=600)

    async def work() -> None:
        async with database.transaction() as connection:
            await body(connection, reached)

    task = asyncio.create_task(work())
    await reached.wait()
    proxy[0].open.clear()
    task.cancel()
    began = time.monotonic()
    await asyncio.wait({task})

    assert task.cancelled()
    assert time.monotonic() - began < SOON_S
    proxy[0].open.set()
    await database.ping()
    await database.close()


async def test_a_full_disk_of_the_server_is_waited_for(database: Database) -> None:
    """Postgres says 53100 when its disk is full, and the same transaction succeeds later."""
    raised = text("DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$")
    with pytest.raises(DependencyDown, match="no space left"):
        async with database.transaction() as connection:
            await connection.execute(raised)

    await database.ping()


async def test_statements_past_sqlalchemy_fail_like_any_other(database: Database) -> None:
    """What passes is an outage, a limit that is met is told apart, and what is wrong stays so."""
    full = "DO $$ BEGIN RAISE EXCEPTION 'no space left' USING ERRCODE = '53100'; END $$"
    slow = "SELECT set_config('statement_timeout', '50', true), pg_sleep(0)"
    ends = "SELECT pg_terminate_backend(pg_backend_pid())"

    async def run(*statements: str) -> None:
        async with database.transaction() as connection:
            for statement in statements:
                await execute(connection, statement)

    with pytest.raises(DependencyDown, match="no space left"):
        await run(full)
    with pytest.raises(TooLong):
        await run(slow, "SELECT pg_sleep(20)")
    with pytest.raises(DependencyDown):
        await run("SELECT 1", ends)
    with pytest.raises(DBAPIError, match="division by zero"):
        await run("SELECT 1 / 0")

    await run("SELECT 1")
    await database.ping()


async def test_statements_past_sqlalchemy_are_undone_with_their_transaction(
    database: Database,
) -> None:
    """They are of the transaction in which they run, beside those of SQLAlchemy."""

    async def fail() -> None:
        async with database.transaction() as connection:
            await execute(connection, "CREATE TEMPORARY TABLE undone (number int)")
            await connection.execute(text("INSERT INTO undone VALUES (1)"))
            assert await execute(connection, "SELECT number FROM undone") == [(1,)]
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await fail()
    async with database.transaction() as connection:
        assert await execute(connection, "SELECT to_regclass('undone')") == [(None,)]


async def test_an_idle_connection_that_ends_is_not_watched(settings: Settings) -> None:
    """The loop forgets the socket of a connection that the server has ended while nobody asks."""
    shown = settings.database_url.get_secret_value()
    database = Database.connect(shown, pool=1)
    for _ in range(3):
        async with database.transaction() as connection:
            [(process,)] = await execute(connection, "SELECT pg_backend_pid()")
        await asyncio.to_thread(_end, settings, process)
        # Another gets the number of the socket, and is served by the same loop.
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        server.close()
        await server.wait_closed()
        with suppress(DependencyDown):
            await database.ping()
    await database.ping()
    await database.close()


async def test_a_value_of_many_megabytes_arrives_whole(settings: Settings) -> None:
    """What no socket takes at once is sent and read all the same, and statements follow it."""
    database = Database.connect(settings.database_url.get_secret_value(), pool=1)
    value = "0123456789abcdef" * 2**20
    async with database.transaction() as connection:
        for _ in range(3):
            assert await execute(connection, "SELECT %s::text", (value,)) == [(value,)]
            assert await execute(connection, "SELECT 1") == [(1,)]
    await database.close()


async def test_the_server_ends_a_statement_that_was_cancelled(settings: Settings) -> None:
    """A task that is cancelled while a server works has it end that, and its locks with it."""
    database = Database.connect(settings.database_url.get_secret_value(), pool=2)
    reached = asyncio.Event()
    lock = "SELECT pg_advisory_xact_lock(1)"

    async def work() -> None:
        async with database.transaction() as connection:
            await execute(connection, lock)
            asyncio.get_running_loop().call_later(0.2, reached.set)
            await execute(connection, "SELECT pg_sleep(25)")

    task = asyncio.create_task(work())
    await reached.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    async with database.transaction() as connection:
        assert len(await execute(connection, lock)) == 1
    await database.close()


def _end(settings: Settings, process: int) -> None:
    """End a connection from the server's side."""
    url = settings.admin_database_url
    assert url is not None
    plain = make_url(url.get_secret_value()).set(drivername="postgresql")
    with psycopg.connect(plain.render_as_string(hide_password=False), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (process,))


def test_a_connection_that_the_server_has_ended_is_noticed(settings: Settings) -> None:
    """At once, under the workers' own event loop; where it is not, a time limit is met instead."""

    async def run() -> None:
        database = Database.connect(settings.database_url.get_secret_value(), pool=1)
        async with database.transaction() as connection:
            process = (await connection.execute(text("SELECT pg_backend_pid()"))).scalar_one()
        url = settings.admin_database_url or settings.database_url
        plain = make_url(url.get_secret_value()).set(drivername="postgresql")
        with psycopg.connect(plain.render_as_string(hide_password=False)) as admin:
            admin.execute("SELECT pg_terminate_backend(%s, 10000)", (process,))
        with pytest.raises(DependencyDown) as met:
            await database.ping()
        assert not isinstance(met.value, TooLong)
        await database.ping()
        await database.close()

    uvloop.run(run())

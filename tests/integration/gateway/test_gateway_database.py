"""The gateway's two ways to Postgres: both see one tenant, outlive restarts, and have an end."""

import asyncio

import pytest
from sqlalchemy import create_engine, func, make_url, select, text

from gateway.connection import Connection
from gateway.database import EVERYONE, Reader
from gateway.direct import Direct
from gateway.errors import Unavailable
from gateway.settings import GatewaySettings
from streams.settings import Settings

TENANT = "SELECT current_setting('actionstream.gpt_id', true)"
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() "


def _end_connections(settings: Settings) -> None:
    url = settings.admin_database_url
    assert url is not None
    engine = create_engine(url.get_secret_value())
    with engine.connect() as connection:
        mine = "AND application_name = 'actionstream-gateway' AND datname = current_database()"
        connection.execute(text(END + mine))
    engine.dispose()


async def test_direct_reads_as_the_tenant_asked_for(gateway_settings: GatewaySettings) -> None:
    """Each statement runs under its own tenant, whichever connection it gets."""
    direct = Direct(gateway_settings.model_copy(update={"gateway_database_pool": 2}))
    tenants = ["a", "b", "a", "c", EVERYONE, "b"] * 5
    found = await asyncio.gather(*(direct.row(tenant, TENANT) for tenant in tenants))
    await direct.close()
    assert [row[0] for row in found if row is not None] == tenants


async def test_reader_reads_as_the_tenant_asked_for(gateway_settings: GatewaySettings) -> None:
    """Each query runs under its own tenant, whichever connection it gets."""
    reader = Reader(gateway_settings.model_copy(update={"gateway_database_pool": 2}))
    setting = select(func.current_setting("actionstream.gpt_id", True).label("tenant"))
    tenants = ["a", "b", "a", "c", EVERYONE, "b"] * 5
    found = await asyncio.gather(*(reader.row(setting, tenant) for tenant in tenants))
    await reader.close()
    assert [row["tenant"] for row in found if row is not None] == tenants


async def test_direct_outlives_its_connections(
    gateway_settings: GatewaySettings, settings: Settings
) -> None:
    """Where the server has ended all of them, the next read opens another and sets its tenant."""
    direct = Direct(gateway_settings)
    await asyncio.gather(*(direct.row("a", "SELECT pg_sleep(0.05)::text") for _ in range(5)))
    await asyncio.to_thread(_end_connections, settings)
    assert await direct.row("a", TENANT) == ("a",)
    await direct.close()


async def test_direct_says_when_the_database_is_away(nowhere_to_read: GatewaySettings) -> None:
    """A server that is not there is a 503."""
    direct = Direct(nowhere_to_read)
    with pytest.raises(Unavailable):
        await direct.row("a", TENANT)


async def test_direct_ends_what_takes_too_long(gateway_settings: GatewaySettings) -> None:
    """A statement above the limit is a 503, and its connection goes on being used."""
    quick = gateway_settings.model_copy(
        update={"statement_timeout": gateway_settings.statement_timeout / 50}
    )
    direct = Direct(quick)
    with pytest.raises(Unavailable):
        await direct.row("a", "SELECT pg_sleep(20)::text")
    assert await direct.row("a", TENANT) == ("a",)
    await direct.close()


async def test_a_cancelled_read_leaves_no_connection_busy(
    gateway_settings: GatewaySettings,
) -> None:
    """Who goes away in the middle of a read takes no place in the pool."""
    direct = Direct(gateway_settings.model_copy(update={"gateway_database_pool": 1}))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(direct.row("a", "SELECT pg_sleep(20)::text"), 0.2)
    assert await direct.row("a", TENANT) == ("a",)
    await direct.close()


async def test_direct_ends_what_the_server_does_not(gateway_settings: GatewaySettings) -> None:
    """A server that keeps no limit is not waited for, and the connection is closed."""
    url = make_url(gateway_settings.gateway_database_url.get_secret_value())
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = await Connection.connect(plain, autocommit=True)
    connection.longest_s = 0.2
    with pytest.raises(TimeoutError):
        await connection.rows("SELECT pg_sleep(20)::text", ())
    assert connection.closed


async def test_direct_sends_what_no_socket_takes_at_once(
    gateway_settings: GatewaySettings,
) -> None:
    """A value of many megabytes arrives whole, and so does its answer."""
    direct = Direct(gateway_settings.model_copy(update={"gateway_database_pool": 1}))
    value = "0123456789abcdef" * 2**20
    for _ in range(3):
        assert await direct.row("a", "SELECT %s::text", (value,)) == (value,)
        assert await direct.row("a", TENANT) == ("a",)
    await direct.close()


async def test_an_idle_connection_that_ends_is_not_watched(
    gateway_settings: GatewaySettings, settings: Settings
) -> None:
    """The loop forgets the socket of a connection that the server has ended while nobody reads."""
    direct = Direct(gateway_settings.model_copy(update={"gateway_database_pool": 3}))
    for _ in range(5):
        reads = (direct.row("a", "SELECT pg_sleep(0.01)::text") for _ in range(3))
        assert await asyncio.gather(*reads) == [("",)] * 3
        await asyncio.to_thread(_end_connections, settings)
        # Others get the numbers of the sockets, and are served by the same loop.
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        assert await reader.read() == b""
        writer.close()
        server.close()
        await server.wait_closed()
    assert await direct.row("a", TENANT) == ("a",)
    await direct.close()


async def test_direct_writes_nothing(gateway_settings: GatewaySettings) -> None:
    """Its connections are of a role, and in a mode, that only reads."""
    direct = Direct(gateway_settings)
    with pytest.raises(Exception, match=r"read-only|permission denied"):
        await direct.row(EVERYONE, "DELETE FROM gpts RETURNING gpt_id")
    await direct.close()


@pytest.fixture
def nowhere_to_read(gateway_settings: GatewaySettings) -> GatewaySettings:
    """Settings whose database is nowhere."""
    url = type(gateway_settings.gateway_database_url)("postgresql+psycopg://x@127.0.0.1:1/none")
    return gateway_settings.model_copy(update={"gateway_database_url": url})

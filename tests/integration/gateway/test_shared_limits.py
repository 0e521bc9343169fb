"""Shared buckets on a real Postgres: several gateways, an outage, a restart, and what is swept."""

import asyncio
import contextlib
import multiprocessing
import time
from collections.abc import AsyncIterator
from concurrent.futures import ProcessPoolExecutor

import pytest
from sqlalchemy import func, make_url, select, update
from sqlalchemy.engine import Engine

from gateway.errors import RateLimited
from gateway.limits.limiter import WAIT_S, Cost, RateLimiter
from gateway.limits.store import Ask, Store, StoreAway
from gateway.metrics import Metrics
from gateway.settings import GatewaySettings
from gateway.uses import Uses
from schemas.rate_limits import Limit
from schemas.tables.edge import BUCKETS, KEY_USES
from streams.settings import Settings
from tests.integration.test_postgres_hangs import SOON_S, Proxy

PER_HOUR = Limit(60, 3600)


pytestmark = pytest.mark.usefixtures("edge")


@contextlib.asynccontextmanager
async def running(
    settings: GatewaySettings, text: str = "key:60/h,write:10/h"
) -> AsyncIterator[RateLimiter]:
    """A gateway's limits with a store of their own."""
    store = Store(settings)
    limiter = RateLimiter(text, store, Metrics())
    task = asyncio.create_task(limiter.leases.run())
    try:
        yield limiter
    finally:
        task.cancel()
        await asyncio.wait([task])
        await limiter.leases.close()
        await store.close()


async def called(limiter: RateLimiter, times: int, cost: Cost = "read", key: str = "k") -> int:
    """Returns: how many of so many calls at once are let in."""
    calls = (limiter.admit_key(key, None, cost) for _ in range(times))
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(one, RateLimited) for one in found if isinstance(one, Exception))
    return sum(not isinstance(one, Exception) for one in found)


async def test_the_statement_takes_what_is_there(
    gateway_settings: GatewaySettings, edge: Engine
) -> None:
    """What is needed and a tenth of the rest, until there is nothing; what is given back counts."""
    store = Store(gateway_settings)
    ask, other = Ask("key:a", PER_HOUR, 1), Ask("write:a", Limit(2, 3600), 1)
    granted = [await store.take([other, ask]) for _ in range(3)]
    assert [[one.granted for one in each] for each in granted] == [[7, 1], [6, 1], [5, 0]]
    assert granted[2][0].full_in_s == pytest.approx(18 * 60, abs=5)
    assert granted[2][1].full_in_s == pytest.approx(3600, abs=5)
    [back] = await store.take([ask._replace(need=-17)], ahead=0)
    assert (back.granted, back.full_in_s) == (-17, pytest.approx(60, abs=5))
    [rest] = await store.take([ask._replace(need=100)], ahead=0)
    assert rest.granted == 59
    await store.close()
    with edge.connect() as connection:
        assert connection.scalar(select(func.count()).select_from(BUCKETS)) == 2


async def test_a_bucket_follows_a_changed_limit(gateway_settings: GatewaySettings) -> None:
    """One emptied under a slow limit is empty, and not owing, under a quick one."""
    store = Store(gateway_settings)
    await store.take([Ask("key:b", Limit(60, 86_400), 60)], ahead=0)
    [found] = await store.take([Ask("key:b", Limit(60, 60), 1)])
    assert (found.granted, found.full_in_s) == (0, pytest.approx(60, abs=1))
    await store.close()


async def test_two_gateways_share_one_bucket(
    gateway_settings: GatewaySettings, edge: Engine
) -> None:
    """Together they let in what the limit says, once neither holds any; and neither is starved."""
    async with running(gateway_settings) as other:
        async with running(gateway_settings) as one:
            found = await asyncio.gather(*(called(each, 12) for each in (one, other) * 3))
            # Each may hold a tenth ahead in the end.
            assert 60 - 2 * 6 <= sum(found) <= 60
            assert sum(found[0::2]) >= 12 <= sum(found[1::2])
        late = await called(other, 12)
        assert sum(found) + late <= 60
    async with running(gateway_settings) as third:
        assert sum(found) + late + await called(third, 12) == 60
    with edge.connect() as connection:
        assert connection.execute(select(BUCKETS.c.scope)).scalars().all() == ["key:k"]


async def test_leases_go_back_when_a_gateway_stops(gateway_settings: GatewaySettings) -> None:
    """What one gateway had ahead is there for the next one; refused changes took nothing."""
    async with running(gateway_settings) as first:
        assert await called(first, 30, "write") == 10
    async with running(gateway_settings) as second:
        assert await called(second, 60) == 50


def _hammer(settings: GatewaySettings, seconds: float) -> tuple[int, float, float]:
    """Returns: how many calls a process lets in, and when it began and ended."""

    async def run() -> tuple[int, float, float]:
        let_in, began = 0, time.time()
        async with running(settings, "key:100/5s") as limiter:
            while time.time() - began < seconds:
                let_in += await called(limiter, 4, key="hammered")
                await asyncio.sleep(0.01)
        return let_in, began, time.time()

    return asyncio.run(run())


def test_two_processes_let_in_no_more_than_is_said(gateway_settings: GatewaySettings) -> None:
    """The bucket, what came back meanwhile, and a tenth of the bucket for each as its lease."""
    spawning = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawning) as processes:
        working = [processes.submit(_hammer, gateway_settings, 4) for _ in range(2)]
        found = [one.result() for one in working]
    total = sum(let_in for let_in, _, _ in found)
    seconds = max(end for _, _, end in found) - min(began for _, began, _ in found)
    assert total <= 100 + seconds * 20 + 2 * 10
    assert total >= 100 + 4 * 20 - 2 * 10


@pytest.fixture
async def proxy(settings: Settings) -> AsyncIterator[tuple[Proxy, asyncio.Server]]:
    """A proxy before Postgres that can fall silent or be gone."""
    url = make_url(settings.database_url.get_secret_value())
    proxy = Proxy(url.host or "", url.port or 0)
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    yield proxy, server
    server.close()
    await proxy.end()


def _behind(settings: GatewaySettings, port: int) -> GatewaySettings:
    url = make_url(settings.gateway_database_url.get_secret_value())
    shown = url.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
    secret = type(settings.gateway_database_url)(shown)
    return settings.model_copy(update={"gateway_database_url": secret})


async def _until(limiter: RateLimiter, *, shared: bool) -> None:
    # What is waited for is a flag, which tells nobody that it changes.
    while limiter.leases.shared is not shared:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("how", ["silent", "gone"])
async def test_without_postgres_each_counts_alone_at_once(
    gateway_settings: GatewaySettings, proxy: tuple[Proxy, asyncio.Server], how: str
) -> None:
    """A call waits for half a second at most, later ones not; it is found when it is back."""
    relay, server = proxy
    port = server.sockets[0].getsockname()[1]
    async with running(_behind(gateway_settings, port)) as limiter:
        assert await called(limiter, 1, key=how) == 1
        if how == "silent":
            relay.open.clear()
        else:
            server.close()
            await relay.end()
        began = time.monotonic()
        assert await called(limiter, 30, key=f"{how}-new") == 30
        assert time.monotonic() - began < WAIT_S + SOON_S
        await _until(limiter, shared=False)
        with pytest.raises(StopIteration):
            # It ends without giving way once, so it waits for nothing.
            limiter.admit_key(f"{how}-other", None, "read").send(None)
        assert await called(limiter, 100, key=f"{how}-other") == 59
        if how == "silent":
            relay.open.set()
        else:
            server = await asyncio.start_server(relay, "127.0.0.1", port)
        await _until(limiter, shared=True)
        # The shared bucket of that key has seen none of the calls that were counted alone.
        assert await called(limiter, 100, key=f"{how}-new") >= 54
        server.close()


async def test_what_may_not_be_written_is_an_outage(gateway_settings: GatewaySettings) -> None:
    """Missing tables or rights are told as such, and calls are counted alone."""
    url = make_url(gateway_settings.gateway_database_url.get_secret_value())
    shown = url.set(database="postgres").render_as_string(hide_password=False)
    secret = type(gateway_settings.gateway_database_url)(shown)
    elsewhere = gateway_settings.model_copy(update={"gateway_database_url": secret})
    store = Store(elsewhere)
    with pytest.raises(StoreAway, match="UndefinedTable"):
        await store.take(())
    await store.close()
    async with running(elsewhere) as limiter:
        assert await called(limiter, 61) == 60


async def test_full_buckets_are_swept(gateway_settings: GatewaySettings, edge: Engine) -> None:
    """A bucket that is full again is as good as none; one that is not is kept."""
    store = Store(gateway_settings)
    await store.take([Ask("key:full", PER_HOUR, 1), Ask("key:used", PER_HOUR, 1)])
    with edge.begin() as connection:
        past = update(BUCKETS).where(BUCKETS.c.scope == "key:full")
        connection.execute(past.values(full_at=func.now()))
    await store.sweep()
    await store.close()
    with edge.connect() as connection:
        assert connection.execute(select(BUCKETS.c.scope)).scalars().all() == ["key:used"]


async def test_last_uses_are_kept_to_the_minute(
    gateway_settings: GatewaySettings, edge: Engine
) -> None:
    """The latest use counts, whoever writes it first."""
    store = Store(gateway_settings)
    uses = Uses(store)
    uses.note("kept")
    uses.note("kept")
    await uses.flush()
    await store.note_uses({"kept": 7200.0, "older": 3600.0})
    await store.close()
    age = func.extract("epoch", func.now() - KEY_USES.c.used_at)
    with edge.connect() as connection:
        rows = connection.execute(select(KEY_USES.c.key_id, age, KEY_USES.c.used_at)).all()
    found = {key_id: float(seconds) for key_id, seconds, _ in rows}
    assert found["kept"] < 120
    assert 3600 <= found["older"] < 3720
    assert all(at.second == 0 for _, _, at in rows)

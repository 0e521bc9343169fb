"""A revoked key is refused within a second, whether or not a gateway hears of it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import httpx2
import pytest
from confluent_kafka import Producer
from sqlalchemy import update

from gateway.settings import GatewaySettings
from schemas.keys import Key, mint
from schemas.tables import API_KEYS, GPTS
from schemas.tenants import KeyChanged
from schemas.topics import KEY_CHANGED
from tests.integration.gateway.conftest import Rows, Serve
from tests.integration.gateway.way import Way

BOUND_S = 1.0
PING = "/v1/pings?wait_s=0"
"""A call that needs Kafka only, once it is known whose it is."""


def _bearer(key: Key) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


async def _ping(client: httpx2.AsyncClient, key: Key) -> int:
    return (await client.post(PING, headers=_bearer(key))).status_code


async def _measured(client: httpx2.AsyncClient, name: str) -> float:
    lines = (await client.get("/metrics")).text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


async def _until(true: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(600):
        if await true():
            return
        await asyncio.sleep(0.05)
    pytest.fail("it did not come true within 30 s")


async def _hears(client: httpx2.AsyncClient) -> bool:
    return await _measured(client, "actionstream_key_changes_current") == 1


@pytest.fixture
async def gateways(
    serve: Serve, gateway_settings: GatewaySettings
) -> AsyncIterator[list[httpx2.AsyncClient]]:
    """Clients of two gateways, both of which hear of changes."""
    async with (
        serve(gateway_settings) as first,
        serve(gateway_settings) as second,
        httpx2.AsyncClient(base_url=first, timeout=60, trust_env=False) as one,
        httpx2.AsyncClient(base_url=second, timeout=60, trust_env=False) as two,
    ):
        for client in (one, two):
            await _until(partial(_hears, client))
        yield [one, two]


def _publish(settings: GatewaySettings, change: KeyChanged) -> None:
    producer = Producer({"bootstrap.servers": settings.kafka_bootstrap})
    topic = settings.topic_prefix + KEY_CHANGED.name
    producer.produce(topic, change.model_dump_json().encode(), change.gpt_id.encode())
    assert producer.flush(10) == 0


async def test_every_gateway_refuses_a_revoked_key(
    gateways: list[httpx2.AsyncClient], gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """The news reach all of them; until then the key needs no look at its row."""
    key, other = rows.key(rows.gpt_id), rows.key(rows.gpt_id)
    for client in gateways:
        assert [await _ping(client, key), await _ping(client, other)] == [202, 202]
        read = await _measured(client, 'actionstream_key_checks_total{source="database"}')
        assert [await _ping(client, key) for _ in range(10)] == [202] * 10
        assert await _measured(client, 'actionstream_key_checks_total{source="database"}') == read
    with rows.engine.begin() as connection:
        row = API_KEYS.c.key_id == key.key_id
        connection.execute(update(API_KEYS).where(row).values(revoked_at=datetime.now(UTC)))
    _publish(gateway_settings, KeyChanged(gpt_id=rows.gpt_id, key_ids=(key.key_id,)))
    await asyncio.sleep(BOUND_S)
    for client in gateways:
        assert [await _ping(client, key), await _ping(client, other)] == [401, 202]


async def test_every_gateway_refuses_a_disabled_gpt(
    gateways: list[httpx2.AsyncClient], gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """News of a tenant concern all its keys, and it can be enabled again."""
    key = rows.key("comes-and-goes")
    for disabled_at, status in ((datetime.now(UTC), 403), (None, 202)):
        for client in gateways:
            await _ping(client, key)
        with rows.engine.begin() as connection:
            row = GPTS.c.gpt_id == "comes-and-goes"
            connection.execute(update(GPTS).where(row).values(disabled_at=disabled_at))
        _publish(gateway_settings, KeyChanged(gpt_id="comes-and-goes", key_ids=()))
        await asyncio.sleep(BOUND_S)
        assert [await _ping(client, key) for client in gateways] == [status] * 2


async def test_a_gateway_that_hears_nothing_reads_keys_anew(
    serve: Serve, gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """Without brokers a key is as old as its last read, which is half a second at most."""
    deaf = gateway_settings.model_copy(update={"kafka_bootstrap": "127.0.0.1:1"})
    key = rows.key(rows.gpt_id)
    async with serve(deaf) as url, httpx2.AsyncClient(base_url=url, timeout=60) as client:
        listed = await client.get("/v1/document-types", headers=_bearer(key))
        assert listed.status_code == 200
        assert await _measured(client, "actionstream_key_changes_current") == 0
        with rows.engine.begin() as connection:
            row = API_KEYS.c.key_id == key.key_id
            connection.execute(update(API_KEYS).where(row).values(revoked_at=datetime.now(UTC)))
        await asyncio.sleep(BOUND_S)
        refused = await client.get("/v1/document-types", headers=_bearer(key))
    assert refused.status_code == 401
    assert "revoked" in refused.json()["detail"]


async def test_a_known_key_outlives_an_outage_of_bounded_length(
    serve: Serve, gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """Postgres away: a known key serves until `key_outage`, one that nobody has seen is 503."""
    way = Way(gateway_settings)
    outage = timedelta(seconds=4)
    settings = gateway_settings.model_copy(
        update={
            "gateway_database_url": await way.start(),
            "key_cache": timedelta(seconds=1),
            "key_outage": outage,
            "rate_limits": "none",
        }
    )
    key, unknown = rows.key(rows.gpt_id), mint("test")
    async with serve(settings) as url, httpx2.AsyncClient(base_url=url, timeout=60) as client:
        await _until(partial(_hears, client))
        assert [await _ping(client, key), await _ping(client, unknown)] == [202, 401]
        await way.close()
        end = asyncio.get_running_loop().time() + outage.total_seconds() / 2
        while asyncio.get_running_loop().time() < end:
            assert await _ping(client, key) == 202
        fresh = await client.post(PING, headers=_bearer(rows.key(rows.gpt_id)))
        assert (fresh.status_code, fresh.json()["code"]) == (503, "unavailable")
        assert fresh.headers["retry-after"]
        await asyncio.sleep(outage.total_seconds())
        assert await _ping(client, key) == 503
        await way.start()

        async def serves() -> bool:
            return await _ping(client, key) == 202

        await _until(serves)
    await way.close()

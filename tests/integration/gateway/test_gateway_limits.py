"""Rate limits over HTTP: what counts, what a caller is told, and whom proxies name."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.engine import Engine
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from gateway.settings import GatewaySettings
from schemas.ids import REQUEST
from schemas.keys import mint
from schemas.tables.edge import KEY_USES
from schemas.tenants import ADMIN
from tests.integration.gateway.conftest import Bearer, Rows, Serve

LIMITS = "key:8/h,write:2/h,ip:3/h"
FREE = ("/live", "/ready", "/health", "/metrics", "/docs", "/problems", "/problems/rate-limited")

pytestmark = pytest.mark.usefixtures("edge")


@pytest.fixture
async def limited(gateway_settings: GatewaySettings, serve: Serve) -> AsyncIterator[str]:
    """The URL of a gateway with few calls for everyone, before which a proxy is trusted."""
    changes = {"rate_limits": LIMITS, "forwarded_allow_ips": "127.0.0.1, 10.0.0.0/8"}
    async with serve(gateway_settings.model_copy(update=changes)) as url:
        yield url


@pytest.fixture
async def client(limited: str, bearer: Bearer) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key that has no limits of its own."""
    async with httpx2.AsyncClient(base_url=limited, headers=bearer(), trust_env=False) as client:
        yield client


async def test_every_counted_answer_says_how_things_stand(client: httpx2.AsyncClient) -> None:
    """Eight calls as the headers count them down, then 429 with the same in its body."""
    for left in range(7, -1, -1):
        answer = await client.get("/v1/document-types" if left % 2 else "/v1/documents/nothing")
        assert answer.status_code in {200, 404}
        assert answer.headers["RateLimit-Policy"] == '"key";q=8;w=3600'
        assert answer.headers["RateLimit"].startswith(f'"key";r={left};t=')
    answer = await client.get("/v1/document-types")
    problem = answer.json()
    assert answer.status_code == 429
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["code"] == "rate_limited"
    assert problem["retry_after_s"] == int(answer.headers["Retry-After"]) <= 450
    assert problem["rate_limit"] == {
        "policy": "key",
        "limit": 8,
        "window_s": 3600,
        "remaining": 0,
        "reset_s": problem["retry_after_s"],
    }
    assert answer.headers["RateLimit"] == f'"key";r=0;t={problem["retry_after_s"]}'
    assert (await client.get(problem["type"])).status_code == 200


async def test_changes_have_a_limit_of_their_own(client: httpx2.AsyncClient) -> None:
    """A call with many files is one change; a refused change takes nothing of the reads."""
    files = [("file", (f"{number}.txt", b"some text")) for number in range(3)]
    for left in (1, 0):
        answer = await client.post("/v1/documents", files=files)
        assert answer.status_code == 202
        assert len(answer.json()["items"]) == 3
        assert f'"write";r={left};' in answer.headers["RateLimit"]
    for _ in range(10):
        answer = await client.post("/v1/documents", files=files)
        assert (answer.status_code, answer.json()["rate_limit"]["policy"]) == (429, "write")
    answer = await client.get("/v1/document-types")
    assert answer.headers["RateLimit"].startswith('"key";r=5;')


async def test_asking_what_became_of_a_request_is_free(
    client: httpx2.AsyncClient, rows: Rows
) -> None:
    """However often, and also where nothing else is allowed any more."""
    request_id = rows.request_id()
    rows.settle(request_id)
    await ask_for_free(client, "/v1/document-types", f"/v1/requests/{request_id}")


async def test_asking_what_became_of_a_change_of_keys_is_free(
    client: httpx2.AsyncClient, rows: Rows, bearer: Bearer
) -> None:
    """Their requests have a path of their own, which is what status_url names."""
    client.headers.update(bearer(ADMIN, scopes=["admin"]))
    request_id = rows.ids.mint(REQUEST, ADMIN)
    await ask_for_free(client, "/v1/admin/gpts", f"/v1/admin/requests/{request_id}")


async def ask_for_free(client: httpx2.AsyncClient, counted: str, free: str) -> None:
    """Take all tokens, then ask for what takes none."""
    for _ in range(9):
        last = await client.get(counted)
    assert last.status_code == 429
    for _ in range(20):
        answer = await client.get(free)
        assert answer.status_code == 200
        assert "RateLimit" not in answer.headers


async def test_what_is_open_to_everyone_is_not_counted(limited: str) -> None:
    """Health, metrics and pages take nothing, and no path that is none."""
    async with httpx2.AsyncClient(base_url=limited, trust_env=False) as anyone:
        for path in (*FREE, "/nothing") * 3:
            answer = await anyone.get(path)
            assert answer.status_code in {200, 204, 404}
            assert "RateLimit" not in answer.headers


async def test_strangers_are_counted_by_address(limited: str, bearer: Bearer) -> None:
    """Three calls without a valid key; whoever has one shares the address and not its fate."""
    sent = {"Authorization": "Bearer as_live_nobody"}
    async with httpx2.AsyncClient(base_url=limited, trust_env=False) as anyone:
        for headers in ({}, sent, {}):
            answer = await anyone.get("/v1/documents", headers=headers)
            assert answer.status_code == 401
            assert answer.headers["RateLimit-Policy"] == '"ip";q=3;w=3600'
        answer = await anyone.get("/v1/documents", headers=sent)
        assert (answer.status_code, answer.json()["rate_limit"]["policy"]) == (429, "ip")
        assert (await anyone.get("/v1/documents", headers=bearer())).status_code == 200


async def test_strangers_are_counted_while_postgres_is_away(
    gateway_settings: GatewaySettings, serve: Serve
) -> None:
    """Keys that cannot be looked up are no way around the limit, over a WebSocket neither."""
    away = SecretStr("postgresql+psycopg://nobody@127.0.0.1:1/none")
    changes = {"rate_limits": LIMITS, "gateway_database_url": away}
    async with (
        serve(gateway_settings.model_copy(update=changes)) as url,
        httpx2.AsyncClient(base_url=url, trust_env=False) as anyone,
    ):
        for _ in range(2):
            sent = {"Authorization": f"Bearer {mint('test')}"}
            assert (await anyone.get("/v1/documents", headers=sent)).status_code == 503
        for status in (503, 429):
            offered = [Subprotocol("actionstream.v1"), Subprotocol(f"bearer.{mint('test')}")]
            with pytest.raises(InvalidStatus) as refused:
                await connect(
                    f"ws{url.removeprefix('http')}/v1/ws", subprotocols=offered, proxy=None
                )
            assert refused.value.response.status_code == status


async def _strangers(url: str, *forwarded: str) -> list[int]:
    """Returns: the statuses of calls without a key that a proxy hands on, by whom it names."""
    async with httpx2.AsyncClient(base_url=url, trust_env=False) as proxy:
        return [
            (await proxy.get("/v1/documents", headers={"X-Forwarded-For": one})).status_code
            for one in forwarded
        ]


async def test_a_trusted_proxy_names_its_client(limited: str) -> None:
    """Its clients are counted apart; what a client itself put into the header is not believed."""
    assert await _strangers(limited, *["192.0.2.1"] * 4) == [401, 401, 401, 429]
    assert await _strangers(limited, "192.0.2.2", "198.51.100.9, 192.0.2.1") == [401, 429]
    assert await _strangers(limited, "192.0.2.1, 10.1.2.3") == [429]
    of_one_network = [f"2001:db8:1:2:{number:x}::1" for number in range(4)]
    assert await _strangers(limited, *of_one_network) == [401, 401, 401, 429]
    assert await _strangers(limited, "2001:db8:1:3::1") == [401]


async def test_nobody_else_names_a_client(gateway_settings: GatewaySettings, serve: Serve) -> None:
    """Where the caller is no trusted proxy, it is counted itself, whatever it says."""
    changes = {"rate_limits": LIMITS, "forwarded_allow_ips": "10.0.0.0/8"}
    async with serve(gateway_settings.model_copy(update=changes)) as url:
        found = await _strangers(url, *(f"192.0.2.{number}" for number in range(4)))
    assert found == [401, 401, 401, 429]


async def test_a_keys_own_limits_go_first(limited: str, bearer: Bearer) -> None:
    """More or fewer calls than others, or any number; of every gateway's alike."""
    async with httpx2.AsyncClient(base_url=limited, trust_env=False) as client:
        few, any_number = bearer(rate_limits="key:1/h"), bearer(rate_limits="none")
        answers = [await client.get("/v1/document-types", headers=few) for _ in range(2)]
        assert [one.status_code for one in answers] == [200, 429]
        answers = [await client.get("/v1/document-types", headers=any_number) for _ in range(12)]
        assert {one.status_code for one in answers} == {200}
        assert "RateLimit" not in answers[0].headers


async def test_two_gateways_have_one_limit(
    gateway_settings: GatewaySettings, serve: Serve, limited: str, bearer: Bearer
) -> None:
    """What a key spends at one gateway it lacks at the other; metrics say that they share."""
    key = bearer()
    changes = {"rate_limits": LIMITS}
    async with (
        serve(gateway_settings.model_copy(update=changes)) as second,
        httpx2.AsyncClient(headers=key, trust_env=False) as client,
    ):
        statuses = [
            (await client.get(f"{url}/v1/document-types")).status_code
            for url in (limited, second) * 8
        ]
        assert sorted(statuses) == [200] * 8 + [429] * 8
        shown = (await client.get(f"{second}/metrics")).text
        assert "actionstream_rate_limits_shared 1.0" in shown
        assert 'actionstream_rate_limited_total{limit="key"}' in shown


async def test_the_last_use_of_a_key_is_kept(
    gateway_settings: GatewaySettings, serve: Serve, rows: Rows, edge: Engine
) -> None:
    """It is written when the gateway stops at the latest, also for calls that are not counted."""
    key = rows.key(gpt_id=gateway_settings.gpt_id)
    async with (
        serve(gateway_settings) as url,
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, trust_env=False) as client,
    ):
        await client.get(f"{url}/v1/requests/none")
    with edge.connect() as connection:
        found = connection.execute(select(KEY_USES.c.key_id)).scalars().all()
    assert found == [key.key_id]

"""A request's life: ids, one record, the wait, repeats."""

import asyncio
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta

import httpx2
import pytest
from confluent_kafka import Message
from sqlalchemy import delete, text
from sqlalchemy.exc import DBAPIError

from gateway.database import Reader
from gateway.settings import GatewaySettings
from schemas.tables import REQUESTS
from tests.integration.gateway.conftest import Answer, Records, Rows, Serve
from tests.integration.gateway.way import Way

Answering = Callable[[str, Answer], None]


@pytest.fixture
def pinged(answering: Answering, rows: Rows, records: Records) -> list[str]:
    """A worker that completes pings; returns the ids it has seen."""
    seen: list[str] = []

    def complete(message: Message, request_id: str) -> None:
        headers = {name: value.decode() for name, value in message.headers()}
        seen.append(request_id)
        rows.settle(
            request_id,
            result=json.loads(message.value()),
            fingerprint=headers["fingerprint"],
            correlation_id=headers["correlation-id"],
        )
        records.wake(request_id)

    answering("ping", complete)
    return seen


async def test_a_ping_comes_back_with_its_result(
    api: httpx2.AsyncClient, pinged: list[str]
) -> None:
    """The call waits for the worker's row and answers 200 with the result and all ids."""
    response = await api.post(
        "/v1/pings", json={"note": "hé"}, headers={"X-Correlation-ID": "mine-1"}
    )
    body = response.json()
    assert response.status_code == 200, body
    assert body["status"] == "completed"
    assert body["result"] == {"note": "hé"}
    assert body["request_id"] in pinged
    assert response.headers["X-Correlation-ID"] == "mine-1"


async def test_the_record_says_who_asked_what(api: httpx2.AsyncClient, records: Records) -> None:
    """The one record has the request's id as key, the whole envelope, and the model's JSON."""
    trace = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"
    response = await api.post(
        "/v1/pings?wait_s=0&correlation_id=c-7", json={"note": "x"}, headers={"traceparent": trace}
    )
    [record] = records.of("ping", response.json()["request_id"])
    headers = {name: value.decode() for name, value in record.headers()}
    assert json.loads(record.value()) == {"note": "x"}
    assert headers["request-id"] == response.json()["request_id"]
    assert (headers["gpt-id"], headers["schema"]) == ("demo", "ping.v1")
    assert (headers["correlation-id"], headers["traceparent"]) == ("c-7", trace)
    assert re.fullmatch("[0-9a-f]{64}", headers["fingerprint"])


async def test_past_the_wait_the_answer_says_where_to_ask(api: httpx2.AsyncClient) -> None:
    """Without a worker the call ends after its wait with 202, Location and Retry-After."""
    response = await api.post("/v1/pings", headers={"Prefer": "respond-async, wait=0"})
    body = response.json()
    assert response.status_code == 202
    assert body["status"] == "accepted"
    assert response.headers["Location"] == body["status_url"]
    assert response.headers["Retry-After"] == str(body["retry_after_s"])
    assert (await api.get(body["status_url"])).json()["status"] == "accepted"


async def test_a_state_can_be_waited_for(
    api: httpx2.AsyncClient, rows: Rows, records: Records
) -> None:
    """GET with wait_s answers as soon as the request is final."""
    request_id = rows.request_id()
    waiting = asyncio.create_task(api.get(f"/v1/requests/{request_id}?wait_s=5"))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    rows.settle(request_id, result={"n": 1})
    records.wake(request_id)
    body = (await waiting).json()
    assert (body["status"], body["result"]) == ("completed", {"n": 1})


async def test_a_missed_record_costs_time_and_not_the_answer(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """The row is read again at the deadline although no record ever came."""
    request_id = rows.request_id()
    waiting = asyncio.create_task(api.get(f"/v1/requests/{request_id}?wait_s=1"))
    await asyncio.sleep(0.3)
    rows.settle(request_id)
    assert (await waiting).json()["status"] == "completed"


async def test_a_made_up_id_is_unknown(api: httpx2.AsyncClient) -> None:
    """An id that nobody handed out is 404, not accepted."""
    response = await api.get("/v1/requests/req_" + "0" * 32 + "_" + "a" * 16)
    assert response.status_code == 404
    assert response.json()["code"] == "not_found"


async def test_an_id_of_long_ago_is_unknown_again(
    api: httpx2.AsyncClient, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once retention has removed its row, it is not taken for one that is still on its way."""
    now = time.time_ns()
    for days, status in ((41, 404), (39, 200)):
        with monkeypatch.context() as then:
            then.setattr("schemas.ids.time.time_ns", lambda ago=days: now - ago * 86400 * 10**9)
            request_id = rows.request_id()
        response = await api.get(f"/v1/requests/{request_id}")
        assert response.status_code == status


async def test_another_tenants_id_is_unknown(api: httpx2.AsyncClient, rows: Rows) -> None:
    """A genuine id of another tenant is 404 as well."""
    response = await api.get(f"/v1/requests/{rows.ids.mint('req', 'other')}")
    assert response.status_code == 404


async def test_a_repeat_gets_the_first_ones_answer(
    api: httpx2.AsyncClient, pinged: list[str], records: Records
) -> None:
    """The same key and body give the same ids, and once it is stored no second record."""
    key = {"Idempotency-Key": "k-repeat"}
    first = (await api.post("/v1/pings", json={"note": "a"}, headers=key)).json()
    second = (await api.post("/v1/pings?idempotency_key=k-repeat", json={"note": "a"})).json()
    assert first == second
    assert len(records.of("ping", first["request_id"])) == 1


async def test_a_key_with_another_body_is_refused(
    api: httpx2.AsyncClient, pinged: list[str]
) -> None:
    """The second body gets 422 and the first answer stays."""
    url = "/v1/pings?idempotency_key=k-other"
    first = (await api.post(url, json={"note": "a"})).json()
    response = await api.post(url, json={"note": "b"})
    assert response.status_code == 422
    assert response.json()["code"] == "idempotency_key_reused"
    again = (await api.get(first["status_url"])).json()
    assert again["result"] == {"note": "a"}


async def test_a_failed_change_answers_with_its_problem(
    api: httpx2.AsyncClient, answering: Answering, rows: Rows, records: Records
) -> None:
    """What the worker refused while the call waited becomes the call's own status."""
    problem = {
        "type": "/problems/version-conflict",
        "title": "Version conflict",
        "status": 412,
        "detail": "The document has changed.",
        "code": "version_conflict",
    }

    def refuse(_: Message, request_id: str) -> None:
        rows.settle(request_id, kind="update-document", status="failed", problem=problem)
        records.wake(request_id)

    document_id = rows.document()
    answering("update-document", refuse)
    response = await api.patch(
        f"/v1/documents/{document_id}", json={"title": "x"}, headers={"If-Match": '"1"'}
    )
    body = response.json()
    assert response.status_code == 412
    assert response.headers["Content-Type"] == "application/problem+json"
    assert (body["code"], body["detail"]) == ("version_conflict", "The document has changed.")
    assert body["request_id"].startswith("req_")


async def test_without_brokers_a_call_is_told_when_to_try_again(
    serve: Serve, gateway_settings: GatewaySettings, headers: dict[str, str]
) -> None:
    """Kafka away is 503 with Retry-After, and a key that makes repeating safe."""
    lonely = gateway_settings.model_copy(
        update={"kafka_bootstrap": "127.0.0.1:1", "publish_timeout": timedelta(seconds=1)}
    )
    async with serve(lonely) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        response = await client.post("/v1/pings", timeout=30)
        ready = await client.get("/ready", timeout=30)
    body = response.json()
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) == body["retry_after_s"]
    assert body["code"] == "maybe_accepted"
    assert body["idempotency_key"].startswith("req_")
    assert set(ready.json()["waiting_for"]) >= {"kafka", "results"}


async def test_the_key_of_an_unclear_answer_names_the_same_request(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """Repeating with the given key asks for the same request, not for a second one."""
    request_id = rows.request_id()
    response = await api.post(f"/v1/pings?wait_s=0&idempotency_key={request_id}")
    assert response.json()["request_id"] == request_id


async def test_without_postgres_requests_are_taken_all_the_same(
    serve: Serve, gateway_settings: GatewaySettings, headers: dict[str, str], records: Records
) -> None:
    """What is in the log is accepted: 202; only reads answer 503. The key is known from before."""
    way = Way(gateway_settings)
    through = gateway_settings.model_copy(update={"gateway_database_url": await way.start()})
    async with serve(through) as url, httpx2.AsyncClient(base_url=url, headers=headers) as client:
        assert (await client.get("/v1/documents")).status_code == 200
        await way.close()
        taken = await client.post("/v1/pings?wait_s=1", timeout=30)
        listed = await client.get("/v1/documents", timeout=30)
    assert taken.status_code == 202
    assert len(records.of("ping", taken.json()["request_id"])) == 1
    assert listed.status_code == 503
    assert listed.headers["Retry-After"]
    assert listed.json()["code"] == "unavailable"


async def test_the_gateway_cannot_write(gateway_settings: GatewaySettings) -> None:
    """Its role has no right to write, and its sessions are read-only besides."""
    reader = Reader(gateway_settings)
    async with reader._engine.connect() as connection:
        with pytest.raises(DBAPIError, match="read-only transaction"):
            await connection.execute(delete(REQUESTS))
        await connection.execute(text("SET default_transaction_read_only = off"))
        with pytest.raises(DBAPIError, match="permission denied"):
            await connection.execute(delete(REQUESTS))
    await reader.close()

"""Events over HTTP: pages, long polls and server-sent events, by a parser of another maker."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import update

from gateway.settings import GatewaySettings
from schemas.api.events import EventItem
from schemas.keys import Key
from schemas.tables import API_KEYS
from streams.settings import Settings
from tests.integration.gateway.conftest import Rows, Serve
from tests.integration.gateway.telling import Teller, teller

STREAM = "/v1/events/stream"
ACCEPT = {"Accept": "text/event-stream"}


@pytest.fixture
def told(settings: Settings, rows: Rows) -> Teller:
    """Writes events of a tenant of this test's own."""
    return teller(settings, rows.engine)


@pytest.fixture(scope="module")
async def client(
    serve: Serve, gateway_settings: GatewaySettings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a key of a gateway with short times."""
    changed = GatewaySettings.model_validate(
        {**gateway_settings.model_dump(), "event_ping": "PT1S", "event_stall": "PT2S"}
    )
    async with (
        serve(changed) as url,
        httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as made,
    ):
        yield made


def header(key: Key) -> dict[str, str]:
    """The header that authorises."""
    return {"Authorization": f"Bearer {key}"}


async def read(
    client: httpx2.AsyncClient, key: Key, count: int, path: str = STREAM, **params: Any
) -> list[tuple[str, str, dict[str, Any]]]:
    """Returns: the id, type and data of the first events of a stream."""
    found: list[tuple[str, str, dict[str, Any]]] = []
    async with client.sse(path, headers=header(key), params=params) as source:
        async for one in source:
            if one.data:
                found.append((one.id, one.event, json.loads(one.data)))
            if len(found) == count:
                return found
    return found


async def page(client: httpx2.AsyncClient, key: Key, **params: Any) -> dict[str, Any]:
    """Returns: a page of events."""
    answer = await client.get("/v1/events", headers=header(key), params=params)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def refused(client: httpx2.AsyncClient, key: Key, **params: Any) -> dict[str, Any]:
    """Returns: the problem that a stream's opening ends with."""
    answer = await client.get(STREAM, headers=header(key), params=params)
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == answer.status_code
    return problem


async def test_pages_go_on_without_a_gap(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """Every event is on one page, in its order, as a CloudEvent."""
    key = rows.key(told.gpt_id)
    numbers = told.tell(*["document.parsed"] * 7, data={"page_count": 2})
    since, found = "0", []
    while True:
        answer = await page(client, key, since=since, limit=3)
        found += [EventItem.model_validate(one) for one in answer["items"]]
        since = answer["next_since"]
        if not answer["has_more"]:
            break
    assert [one.sequence for one in found] == numbers
    assert {one.gptid for one in found} == {told.gpt_id}
    assert found[0].data == {"page_count": 2}
    assert (await page(client, key, since=since))["items"] == []


async def test_pages_are_filtered(client: httpx2.AsyncClient, told: Teller, rows: Rows) -> None:
    """By types and beginnings of them, by what it happened to, by batch."""
    key = rows.key(told.gpt_id)
    [first] = told.tell("document.received")
    [second] = told.tell("batch.completed", object_id="batch_1", batch_id="batch_1")
    [third] = told.tell("document.needs_review", batch_id="batch_1")

    async def of(**params: str) -> list[int]:
        answer = await page(client, key, **params)
        assert not answer["has_more"]
        return [one["sequence"] for one in answer["items"]]

    assert await of(type="document.*") == [first, third]
    assert await of(type="document.received,batch.completed") == [first, second]
    assert await of(type="*") == [first, second, third]
    assert await of(subject_id="batch_1") == [second]
    assert await of(batch="batch_1") == [second, third]
    assert await of(batch="batch_1", type="document.needs_review") == [third]
    answer = await client.get("/v1/events", headers=header(key), params={"type": "docs.*"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_input")


async def test_a_page_waits_for_an_event(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """With wait_s an empty page is answered once something has come."""
    key = rows.key(told.gpt_id)
    told.tell("document.received")
    since = (await page(client, key))["next_since"]
    waiting = asyncio.create_task(page(client, key, since=since, wait_s=5))
    await asyncio.sleep(0.3)
    [number] = told.tell("document.parsed")
    assert [one["sequence"] for one in (await waiting)["items"]] == [number]


async def test_a_stream_tells_what_happens(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """From now on where nothing else is asked; the id of each event is where to go on."""
    key = rows.key(told.gpt_id)
    told.tell("document.received")
    reading = asyncio.create_task(read(client, key, 3))
    await asyncio.sleep(0.5)
    numbers = told.tell("document.parsed", "document.classified", "document.extracted")
    found = await reading
    assert [one["sequence"] for _, _, one in found] == numbers
    assert [kind for _, kind, _ in found] == [one["type"] for _, _, one in found]
    again = await read(client, key, 2, last_event_id=found[0][0])
    assert again == found[1:]


async def test_a_gateway_that_hears_nothing_delivers(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """Rows that no record tells of are found within seconds."""
    key = rows.key(told.gpt_id)
    reading = asyncio.create_task(read(client, key, 1))
    await asyncio.sleep(0.5)
    [number] = told.tell("document.parsed", wake=False)
    [(_, _, event)] = await reading
    assert event["sequence"] == number


async def test_streams_are_filtered_before_and_after_they_begin(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """The same is left out of what happened and of what happens."""
    key = rows.key(told.gpt_id)
    told.tell("document.received", "document.parsed")
    [before] = told.tell("batch.created", batch_id="batch_1")
    reading = asyncio.create_task(read(client, key, 2, since="0", type="batch.*", batch="batch_1"))
    await asyncio.sleep(0.5)
    told.tell("batch.created", batch_id="batch_2")
    [after] = told.tell("batch.completed", batch_id="batch_1")
    assert [one["sequence"] for _, _, one in await reading] == [before, after]


async def test_an_end_user_sees_its_own_alone(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """Others' events are neither on its pages nor in its streams; cursors are its own."""
    key, everyones = rows.key(told.gpt_id, subject="ann"), rows.key(told.gpt_id)
    [mine] = told.tell("object.created", subject="ann")
    told.tell("object.created", subject="bob")
    told.tell("object.created")
    answer = await page(client, key)
    assert [one["sequence"] for one in answer["items"]] == [mine]
    found = await read(client, key, 9, since="0", wait_s=0)
    assert [one["sequence"] for _, kind, one in found if kind != "closed"] == [mine]
    problem = await refused(client, everyones, last_event_id=answer["next_since"])
    assert problem["code"] == "malformed"


async def test_places_that_are_none_are_refused(
    client: httpx2.AsyncClient, told: Teller, settings: Settings, rows: Rows
) -> None:
    """Of another tenant, of the future, and garbage, as header, parameter and since."""
    key = rows.key(told.gpt_id)
    [last] = told.tell("document.received")
    other = teller(settings, rows.engine)
    other.tell("document.received")
    theirs = (await page(client, rows.key(other.gpt_id)))["next_since"]
    for place in (theirs, str(last + 1), "9" * 18, "9" * 40, "é", "-1", "x" * 200):
        for name in ("last_event_id", "since"):
            problem = await refused(client, key, **{name: place})
            assert (problem["status"], problem["code"]) == (400, "malformed"), (name, place)
        answer = await client.get("/v1/events", headers=header(key), params={"since": place})
        assert answer.status_code == 400, place
    answer = await client.get(STREAM, headers=header(key) | {"Last-Event-ID": theirs})
    assert answer.status_code == 400


async def test_an_expired_place_is_410_and_says_what_is_kept(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """A client that lost events is told so, and where it can begin."""
    key = rows.key(told.gpt_id)
    told.tell(*["document.received"] * 5)
    cursor = (await page(client, key, limit=1))["next_since"]
    told.forget(3)
    for place in (cursor, "2"):
        problem = await refused(client, key, last_event_id=place)
        assert (problem["status"], problem["code"], problem["first"]) == (410, "events_expired", 4)
    assert [one["sequence"] for one in (await page(client, key))["items"]] == [4, 5]
    assert [one["sequence"] for one in (await page(client, key, since="3"))["items"]] == [4, 5]


async def test_silence_is_filled_and_moves_the_place(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """A filtered stream's pings bear the place, so that a resume need not go through the rest."""
    key = rows.key(told.gpt_id)
    headers, params = header(key) | ACCEPT, {"type": "batch.*"}
    lines: list[str] = []
    async with client.stream("GET", STREAM, headers=headers, params=params) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store, no-transform"
        async for line in answer.aiter_lines():
            lines.append(line)
            if lines.count(": ping") == 1 and line == ": ping":
                told.tell("document.received")
            if len([one for one in lines if one.startswith("id:")]) == 2:
                break
    assert lines[0].startswith("retry: ")
    place = lines[-1].removeprefix("id: ")
    assert (await page(client, key, since=place))["items"] == []


async def test_a_revoked_key_ends_its_streams(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """Within seconds, with the reason; others' go on."""
    key = rows.key(told.gpt_id)
    reading = asyncio.create_task(read(client, key, 1))
    await asyncio.sleep(0.5)
    revoked = update(API_KEYS).where(API_KEYS.c.key_id == key.key_id)
    with rows.engine.begin() as connection:
        connection.execute(revoked.values(revoked_at=datetime.now(UTC)))
    told.producer.produce(
        told.topic.removesuffix("events") + "key-changed",
        json.dumps({"gpt_id": told.gpt_id, "key_ids": [key.key_id]}).encode(),
        told.gpt_id.encode(),
    )
    told.producer.flush(10)
    [(_, kind, end)] = await asyncio.wait_for(reading, 10)
    assert (kind, end["reason"], end["reconnect"]) == ("closed", "unauthorised", False)
    assert "revoked" in end["detail"]


async def test_a_client_that_never_reads_is_cut_off(
    client: httpx2.AsyncClient, told: Teller, rows: Rows
) -> None:
    """It costs a bounded buffer, is closed for a reason, and can go on without a gap."""
    key = rows.key(told.gpt_id)
    numbers = told.tell(*["document.failed"] * 2000, data={"detail": "x" * 2000})
    host, _, port = str(client.base_url).removeprefix("http://").rstrip("/").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1024)
    writer.write(
        f"GET {STREAM}?since=0 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\n\r\n".encode()
    )
    closed = 'actionstream_event_streams_closed_total{kind="sse",reason="slow_reader"}'
    for _ in range(200):
        measured = (await client.get("/metrics")).text
        if closed in measured:
            break
        await asyncio.sleep(0.1)
    assert closed in measured
    received = b""
    # What was cut off ends with a reset, or with the end of what was sent.
    try:
        while piece := await reader.read(65536):
            received += piece
    except ConnectionResetError:
        pass
    writer.close()
    ids = [line[4:] for line in received.decode().splitlines() if line.startswith("id: ")]
    seen = len([one for one in received.decode().split("\n\n") if "event: document.failed" in one])
    assert 0 < seen < len(numbers)
    rest = await read(client, key, len(numbers) - seen, last_event_id=ids[-1])
    assert rest[-1][2]["sequence"] == numbers[-1]
    assert rest[0][2]["sequence"] <= numbers[seen]


async def test_streams_have_limits(
    serve: Serve, gateway_settings: GatewaySettings, told: Teller, rows: Rows
) -> None:
    """Of a key 429, of the gateway 503; a stream that ended makes room."""
    few = gateway_settings.model_copy(update={"max_streams": 2, "max_key_streams": 1})
    one, two, three = (rows.key(told.gpt_id) for _ in range(3))
    async with serve(few) as url, httpx2.AsyncClient(base_url=url, trust_env=False) as client:
        async with (
            client.stream("GET", STREAM, headers=header(one)) as first,
            client.stream("GET", STREAM, headers=header(two)) as second,
        ):
            assert [first.status_code, second.status_code] == [200, 200]
            answers = [await client.get(STREAM, headers=header(key)) for key in (three, one)]
            assert [each.status_code for each in answers] == [503, 503]
            await second.aclose()
            for _ in range(100):
                answer = await client.get(STREAM, headers=header(one), params={"wait_s": 0})
                if answer.status_code != 503:
                    break
                await asyncio.sleep(0.05)
            assert (answer.status_code, answer.json()["code"]) == (429, "stream_limit")
        assert answer.headers["retry-after"] == "5"

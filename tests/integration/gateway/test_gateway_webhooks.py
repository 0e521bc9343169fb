"""Webhooks over HTTP: made, listed, changed, rotated, and their deliveries; worked by the stage."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from confluent_kafka import Message
from standardwebhooks import Webhook

from gateway.settings import GatewaySettings
from schemas import webhook_secrets
from schemas.ids import DELIVERY, WEBHOOK, Ids
from schemas.tables import WEBHOOK_DELIVERIES, WEBHOOKS
from schemas.webhook_secrets import Seal
from streams.batch_ledger import BatchLedger, Turn
from streams.clients.postgres import Database
from streams.decoding import Decoder
from streams.settings import Settings
from streams.stage import Record
from streams.stages import webhooks
from streams.webhooks.bell import Bell
from streams.wire import Incoming
from tests.integration.gateway.conftest import Answer, Bearer, Records, Rows, Serve

Working = Callable[[str, Answer], None]
URL = "https://93.184.216.34/hook"
NEVER = "2026-01-01T00:00:00Z"


@pytest.fixture(scope="module")
async def url(serve: Serve, gateway_settings: GatewaySettings) -> AsyncIterator[str]:
    """The URL of a gateway that allows no private network, whatever these surroundings do."""
    own = gateway_settings.model_copy(update={"webhook_allowed_networks": ()})
    async with serve(own) as address:
        yield address


@pytest.fixture
def worker(answering: Working, settings: Settings, records: Records) -> None:
    """The stage itself, played by a thread with a connection of its own."""
    ids = Ids(settings.id_secret.get_secret_value())
    places = itertools.count()

    async def commit(message: Message) -> tuple[Record, ...]:
        database = Database.connect(settings.database_url.get_secret_value(), pool=1)
        headers = tuple(message.headers())
        place = (message.topic(), message.partition(), next(places))
        incoming = Incoming(*place, message.key(), message.value(), headers, lambda: False)
        stage = webhooks.stage(ids, Bell(), 4)
        found, work = Decoder(ids).work(stage, incoming)
        try:
            turn = Turn(incoming, found, work, "results")
            done = await BatchLedger(database, owner="test").commit(stage, [turn])
        finally:
            await database.close()
        return done.outputs[0]

    def answer(message: Message, request_id: str) -> None:
        del request_id
        for record in asyncio.run(commit(message)):
            name = settings.topic_prefix + record.topic
            records.producer.produce(name, record.value, record.key, headers=[*record.headers])
        records.producer.flush(10)

    answering("change-webhook", answer)


@pytest.fixture
def own(rows: Rows) -> Rows:
    """A tenant of the test's own."""
    return replace(rows, gpt_id=f"t-{uuid.uuid4().hex[:12]}")


@pytest.fixture
async def mine(
    url: str, own: Rows, bearer: Bearer, worker: None
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key of that tenant."""
    headers = bearer(gpt_id=own.gpt_id)
    async with httpx2.AsyncClient(
        base_url=f"{url}/v1", headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client


async def made(client: httpx2.AsyncClient, **body: Any) -> dict[str, Any]:
    """Returns: a new endpoint, as the answer to its making shows it."""
    answer = await client.post("/webhooks", json={"url": URL, **body})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


def delivered(own: Rows, webhook_id: str, sequence: int, **values: Any) -> str:
    """Put a delivery. Returns: its id."""
    delivery_id = own.ids.mint(DELIVERY, own.gpt_id)
    row = {"event_type": "batch.closed", "state": "delivered", **values}
    place = {"delivery_id": delivery_id, "webhook_id": webhook_id, "sequence": sequence}
    own.add(WEBHOOK_DELIVERIES, **place, **row)
    return delivery_id


async def test_an_endpoint_is_made_with_its_secret(mine: httpx2.AsyncClient) -> None:
    """The secret is in that answer alone; what is stored opens to it."""
    found = await made(mine, events=["document.*"], description="Mine")
    secret = found.pop("secret")
    assert (found["url"], found["events"], found["state"]) == (URL, ["document.*"], "active")
    assert (found["pending"], found["version"]) == (False, 1)
    assert Webhook(secret)
    answer = await mine.get(f"/webhooks/{found['webhook_id']}")
    shown = answer.json()
    assert (shown["description"], shown["pending"], shown["oldest_pending_at"]) == ("Mine", 0, None)
    assert secret not in answer.text


async def test_a_secret_is_kept_sealed(
    mine: httpx2.AsyncClient, own: Rows, settings: Settings, records: Records
) -> None:
    """Neither record nor row has it, and workers open it."""
    found = await made(mine)
    webhook_id, secret = found["webhook_id"], found["secret"]
    [record] = records.of("change-webhook", webhook_id)
    with own.engine.begin() as connection:
        row = connection.execute(WEBHOOKS.select().where(WEBHOOKS.c.webhook_id == webhook_id)).one()
    value = record.value()
    assert value is not None
    assert secret.encode() not in value
    [opened] = Seal.of(settings, settings.id_secret).open(webhook_id, [*map(bytes, row.secrets)])
    assert webhook_secrets.text(opened) == secret
    with pytest.raises(webhook_secrets.Unreadable):
        Seal.of(settings, settings.id_secret).open("wh_other", [*map(bytes, row.secrets)])


async def test_a_repeated_creation_shows_no_secret(mine: httpx2.AsyncClient) -> None:
    """It is the same endpoint; another body under the same key is refused."""
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = await mine.post("/webhooks", json={"url": URL}, headers=headers)
    again = await mine.post("/webhooks", json={"url": URL}, headers=headers)
    assert again.status_code == 201
    assert again.json() == first.json() | {"secret": None}
    other = await mine.post("/webhooks", json={"url": f"{URL}/x"}, headers=headers)
    assert code(other) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("https://127.0.0.1/hook", "private_address"),
        ("https://localhost/hook", "private_address"),
        ("https://2130706433/hook", "private_address"),
        ("https://[::1]:8443/", "private_address"),
        ("https://169.254.169.254/latest/meta-data", "private_address"),
        ("http://127.0.0.1/hook", "private_address"),
        ("http://93.184.216.34/hook", "invalid_input"),
        ("https://user:secret@93.184.216.34/hook", "invalid_input"),
        ("ftp://93.184.216.34/hook", "invalid_input"),
        ("https://", "invalid_input"),
        ("https://exa mple.com/", "invalid_input"),
    ],
)
async def test_where_endpoints_may_not_be(
    mine: httpx2.AsyncClient, target: str, expected: str
) -> None:
    """Refused when it is named, with the place of the mistake."""
    answer = await mine.post("/webhooks", json={"url": target})
    assert code(answer) == (422, expected)
    assert answer.json()["errors"][0]["pointer"] == "/url"


@pytest.mark.parametrize(
    "events", [[], ["documnt.*"], ["document.indexd"], ["webhook.test"], ["webhook.*"], ["DOC.*"]]
)
async def test_events_that_there_are_not_are_refused(
    mine: httpx2.AsyncClient, events: list[str]
) -> None:
    """A misspelt one would be waited for in vain."""
    assert code(await mine.post("/webhooks", json={"url": URL, "events": events})) == (
        422,
        "invalid_input",
    )


async def test_an_endpoint_is_changed_paused_and_removed(mine: httpx2.AsyncClient) -> None:
    """Each answer is the endpoint as it is then; a change on an old version is refused."""
    path = f"/webhooks/{(await made(mine))['webhook_id']}"
    paused = await mine.patch(path, json={"state": "paused"})
    assert (paused.json()["state"], paused.json()["version"]) == ("paused", 2)
    assert paused.json()["paused_reason"] == "its owner paused it"
    old = await mine.patch(path, json={"state": "active", "if_version": 1})
    assert code(old) == (412, "version_conflict")
    assert code(await mine.patch(path, json={})) == (422, "invalid_input")
    inwards = await mine.patch(path, json={"url": "https://10.0.0.1/"})
    assert code(inwards) == (422, "private_address")
    resumed = await mine.patch(path, json={"state": "active", "events": ["batch.completed"]})
    assert (resumed.json()["state"], resumed.json()["paused_reason"]) == ("active", None)
    gone = await mine.delete(path)
    assert (gone.status_code, gone.json()["events"]) == (200, ["batch.completed"])
    assert code(await mine.get(path)) == (404, "not_found")
    assert code(await mine.delete(path)) == (404, "not_found")


async def test_a_secret_is_rotated(mine: httpx2.AsyncClient) -> None:
    """The new one is shown once; until when the old one signs is shown."""
    first = await made(mine)
    path = f"/webhooks/{first['webhook_id']}"
    answer = await mine.post(f"{path}/rotate-secret", json={"overlap_s": 3600})
    assert answer.status_code == 200, answer.text
    assert answer.json()["secret"] != first["secret"]
    assert answer.json()["old_secrets_end_at"] is not None
    at_once = await mine.post(f"{path}/rotate-secret", json={"overlap_s": 0})
    assert (at_once.json()["old_secrets_end_at"], at_once.json()["version"]) == (None, 3)
    assert (await mine.post(f"{path}/rotate-secret")).json()["old_secrets_end_at"] is not None


async def test_endpoints_are_listed_in_pages(mine: httpx2.AsyncClient) -> None:
    """Oldest first; more than a tenant may have are refused."""
    ids = [(await made(mine))["webhook_id"] for _ in range(4)]
    full = await mine.post("/webhooks", json={"url": URL})
    assert code(full) == (403, "too_many_webhooks")
    listed, cursor = [], ""
    while cursor is not None:
        page = (await mine.get("/webhooks", params={"limit": 3, "cursor": cursor} if cursor else
                               {"limit": 3})).json()  # fmt: skip
        listed += [item["webhook_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert listed == ids


async def test_deliveries_are_listed_and_shown(mine: httpx2.AsyncClient, own: Rows) -> None:
    """Latest first, by state and type; each with what the endpoint answered."""
    webhook_id = (await made(mine))["webhook_id"]
    answered = {"attempts": 9, "status_code": 500, "latency_ms": 12, "excerpt": "no"}
    ids = [
        delivered(own, webhook_id, 1),
        delivered(own, webhook_id, 2, state="failed", error="not_taken", **answered),
        delivered(own, webhook_id, 3, state="pending", event_type="document.indexed"),
    ]
    path = f"/webhooks/{webhook_id}/deliveries"

    async def listed(**query: str | int) -> list[str]:
        page = (await mine.get(path, params=query)).json()
        return [item["delivery_id"] for item in page["items"]]

    assert await listed() == ids[::-1]
    assert await listed(state="failed") == [ids[1]]
    assert await listed(type="document.indexed") == [ids[2]]
    page = (await mine.get(path, params={"limit": 2})).json()
    assert await listed(limit=2, cursor=page["next_cursor"]) == [ids[0]]
    foreign = await mine.get(path, params={"state": "failed", "cursor": page["next_cursor"]})
    assert code(foreign) == (400, "malformed")
    shown = (await mine.get(f"{path}/{ids[1]}")).json()
    assert {name: shown[name] for name in answered} == answered
    assert (await mine.get(f"/webhooks/{webhook_id}")).json()["pending"] == 1


async def test_deliveries_are_sent_again(mine: httpx2.AsyncClient, own: Rows) -> None:
    """One, those of a time, and only what is this endpoint's."""
    path = f"/webhooks/{(await made(mine))['webhook_id']}"
    webhook_id = path.rpartition("/")[2]
    done = delivered(own, webhook_id, 1)
    for number in (2, 3):
        delivered(own, webhook_id, number, state="failed")
    one = await mine.post(f"{path}/deliveries/{done}/redeliver")
    assert one.json()["result"]["redelivering"] == 1
    some = await mine.post(f"{path}/redeliver", json={"since": NEVER})
    assert some.json()["result"] == {"status": 200, "redelivering": 2, "more_since": None}
    states = (await mine.get(f"{path}/deliveries")).json()["items"]
    assert {item["state"] for item in states} == {"pending"}
    assert code(await mine.post(f"{path}/redeliver", json={})) == (422, "invalid_input")
    unknown = own.ids.mint(DELIVERY, own.gpt_id)
    for wrong in (unknown, "msg_1"):
        answer = await mine.post(f"{path}/deliveries/{wrong}/redeliver")
        assert code(answer) == (404, "not_found")


async def test_a_test_names_its_delivery(mine: httpx2.AsyncClient, own: Rows) -> None:
    """Where its outcome will be found."""
    path = f"/webhooks/{(await made(mine))['webhook_id']}"
    answer = await mine.post(f"{path}/test")
    assert answer.status_code == 200, answer.text
    assert own.ids.verify(answer.json()["result"]["delivery_id"], DELIVERY, own.gpt_id)


async def test_end_users_have_endpoints_of_their_own(
    mine: httpx2.AsyncClient, own: Rows, bearer: Bearer
) -> None:
    """They neither see nor change another one's or the tenant's; other tenants see nothing."""
    tenants = (await made(mine))["webhook_id"]
    theirs: dict[str, str] = {}
    for subject in ("anna", "bert"):
        mine.headers.update(bearer(gpt_id=own.gpt_id, subject=subject))
        theirs[subject] = (await made(mine))["webhook_id"]
        listed = (await mine.get("/webhooks")).json()["items"]
        assert [item["webhook_id"] for item in listed] == [theirs[subject]]
    for foreign in (theirs["anna"], tenants, own.ids.mint(WEBHOOK, own.gpt_id)):
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/test"),
            ("GET", "/deliveries"),
        ):
            answer = await mine.request(method, f"/webhooks/{foreign}{path}")
            assert code(answer) == (404, "not_found")
    mine.headers.update(bearer(gpt_id="someone-else"))
    assert code(await mine.get(f"/webhooks/{tenants}")) == (404, "not_found")

"""GPTs and keys over HTTP: made, listed, rotated, revoked; a secret is in one answer only."""

import asyncio
import itertools
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from confluent_kafka import Message, Producer
from sqlalchemy import create_engine, insert, update

from gateway.settings import GatewaySettings
from schemas import keys
from schemas.ids import Ids
from schemas.tables import API_KEYS
from schemas.tables.edge import KEY_USES
from schemas.tenants import ADMIN
from streams.batch_ledger import BatchLedger, Turn
from streams.clients.postgres import Database
from streams.decoding import Decoder
from streams.settings import Settings
from streams.stage import Record
from streams.stages import tenants
from streams.wire import Incoming
from tests.integration.gateway.conftest import Answer, Records, Rows

Working = Callable[[str, Answer], None]


UNLIMITED = "key:60000/m,write:60000/m"


@pytest.fixture
async def admin(url: str, settings: Settings, rows: Rows) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with a key that administers, as often as the tests like."""
    assert settings.admin_key is not None
    with rows.engine.begin() as connection:
        unlimited = update(API_KEYS).where(API_KEYS.c.gpt_id == ADMIN)
        connection.execute(unlimited.values(rate_limits=UNLIMITED))
    bearer = {"Authorization": f"Bearer {settings.admin_key.get_secret_value()}"}
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer, timeout=60, trust_env=False
    ) as client:
        yield client


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
        stage = tenants.stage()
        found, work = Decoder(ids).work(stage, incoming)
        try:
            turn = Turn(incoming, found, work, "results")
            done = await BatchLedger(database, owner="test").commit(stage, [turn])
            [made] = done.outputs
        finally:
            await database.close()
        return made

    def answer(message: Message, request_id: str) -> None:
        del request_id
        for record in asyncio.run(commit(message)):
            publish(records.producer, settings.topic_prefix, record)

    answering("change-gpt", answer)


def publish(producer: Producer, prefix: str, record: Record) -> None:
    producer.produce(prefix + record.topic, record.value, record.key, headers=[*record.headers])
    producer.flush(10)


def new_id() -> str:
    return f"t-{uuid.uuid4().hex[:12]}"


@pytest.fixture
async def gpt_id(admin: httpx2.AsyncClient, worker: None) -> str:
    """A GPT of the test's own."""
    made = new_id()
    answer = await admin.post("/v1/admin/gpts", json={"gpt_id": made, "name": "Mine"})
    assert answer.status_code == 201, answer.text
    return made


def code(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def call(url: str, key: str) -> httpx2.Response:
    """Call something of the tenant's with a key."""
    bearer = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(base_url=url, headers=bearer, trust_env=False) as client:
        return await client.get("/v1/document-types")


async def until_status(url: str, key: str, status: int) -> float:
    """Returns: the seconds until calls with a key are answered so."""
    began = asyncio.get_running_loop().time()
    while True:
        if (await call(url, key)).status_code == status:
            return asyncio.get_running_loop().time() - began
        await asyncio.sleep(0.02)


async def test_a_gpt_is_made_changed_and_listed(admin: httpx2.AsyncClient, gpt_id: str) -> None:
    """What was asked is what is read; a second one of this id is a conflict."""
    answer = await admin.get(f"/v1/admin/gpts/{gpt_id}")
    assert (answer.json()["name"], answer.json()["max_objects"]) == ("Mine", None)
    answer = await admin.patch(f"/v1/admin/gpts/{gpt_id}", json={"max_objects": 9})
    assert (answer.status_code, answer.json()["max_objects"]) == (200, 9)
    assert (await admin.get(f"/v1/admin/gpts/{gpt_id}")).json() == answer.json()
    again = await admin.post("/v1/admin/gpts", json={"gpt_id": gpt_id})
    assert code(again) == (409, "gpt_exists")
    listed, cursor = [], ""
    while cursor is not None:
        query = {"limit": 2, **({"cursor": cursor} if cursor else {})}
        page = (await admin.get("/v1/admin/gpts", params=query)).json()
        listed += [item["gpt_id"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert listed == sorted(set(listed))
    assert {gpt_id, ADMIN} <= set(listed)


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("gpts", {"gpt_id": "Not An Id"}, "/gpt_id"),
        ("gpts", {"gpt_id": "fine", "max_objects": -1}, "/max_objects"),
        ("gpts", {"gpt_id": "fine", "owner": "me"}, "/owner"),
        ("gpts", {"gpt_id": "fine", "name": "a\u0000b"}, "/name"),
        ("gpts/admin/keys", {"name": "x", "scopes": ["everything"]}, "/scopes/0"),
        ("gpts/admin/keys", {"name": "x", "scopes": []}, "/scopes"),
        ("gpts/admin/keys", {"name": "x", "rate_limits": "often"}, "/rate_limits"),
        ("gpts/admin/keys/4kQ7ZbT2mXw9LrPd/rotate", {"rate_limits": "often"}, "/rate_limits"),
        ("gpts/admin/keys", {"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at"),
        ("gpts/admin/keys", {"name": "x", "expires_at": "2099-01-01T00:00:00"}, "/expires_at"),
    ],
)
async def test_a_wrong_value_is_named(
    admin: httpx2.AsyncClient, path: str, body: dict[str, Any], pointer: str
) -> None:
    """It is refused before anything is published."""
    answer = await admin.post(f"/v1/admin/{path}", json=body)
    assert code(answer) == (422, "invalid_input")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_a_key_is_shown_once_and_its_secret_is_nowhere(
    admin: httpx2.AsyncClient,
    url: str,
    gpt_id: str,
    records: Records,
    gateway_settings: GatewaySettings,
) -> None:
    """The answer alone has it: neither a record nor a later read does. It opens the GPT."""
    body = {"name": "action", "scopes": ["read"]}
    answer = await admin.post(f"/v1/admin/gpts/{gpt_id}/keys", json=body)
    made = answer.json()
    assert (answer.status_code, made["pending"]) == (201, False)
    assert answer.headers["cache-control"] == "no-store"
    key = keys.parse(made["key"])
    assert key.key_id == made["key_id"]
    assert (await call(url, made["key"])).status_code == 200
    listed = await admin.get(f"/v1/admin/gpts/{gpt_id}/keys")
    state = await admin.get(made["status_url"])
    published = [each.value() for each in records.of("change-gpt", gpt_id)]
    for text in (listed.text, state.text, *(value.decode() for value in published)):
        assert made["key_id"] in text or "create-gpt" in text
        assert key.secret not in text
    hashed = key.hashed(gateway_settings.key_pepper.get_secret_value()).hex()
    assert hashed in published[-1].decode()
    assert hashed not in listed.text + state.text


async def test_a_repeat_gets_the_key_without_its_text(
    admin: httpx2.AsyncClient, gpt_id: str
) -> None:
    """The first key is the one that is stored; another body under the same key is refused."""
    path, body = f"/v1/admin/gpts/{gpt_id}/keys", {"name": "x"}
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = (await admin.post(path, json=body, headers=headers)).json()
    again = await admin.post(path, json=body, headers=headers)
    assert (again.status_code, again.json()) == (201, {**first, "key": None})
    assert len((await admin.get(path)).json()["items"]) == 1
    other = await admin.post(path, json={"name": "y"}, headers=headers)
    assert code(other) == (422, "idempotency_key_reused")


async def test_a_rotation_that_is_repeated_is_one(admin: httpx2.AsyncClient, gpt_id: str) -> None:
    """Its times are counted from the first one on, and the repeat is not taken for another one."""
    path = f"/v1/admin/gpts/{gpt_id}/keys"
    ends_at = (datetime.now(UTC) + timedelta(days=9)).isoformat()
    old = (await admin.post(path, json={"name": "x", "expires_at": ends_at})).json()
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first = await admin.post(f"{path}/{old['key_id']}/rotate", headers=headers)
    again = await admin.post(f"{path}/{old['key_id']}/rotate", headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == {**first.json(), "key": None}


async def test_a_key_that_is_not_stored_yet_is_shown_too(
    admin: httpx2.AsyncClient, answering: Working
) -> None:
    """Without a worker the answer is 202; it has the key, since nothing could show it later."""
    made = (await admin.post(f"/v1/admin/gpts/{ADMIN}/keys?wait_s=0", json=ADMINISTERS)).json()
    assert made["pending"] is True
    assert keys.parse(made["key"]).key_id == made["key_id"]
    state = await admin.get(made["status_url"])
    assert (state.status_code, state.json()["status"]) == (200, "accepted")


async def test_a_repeat_of_a_pending_call_gets_no_second_key(admin: httpx2.AsyncClient) -> None:
    """Only the first one's is stored; and both answers say where that is found out."""
    path = f"/v1/admin/gpts/{ADMIN}/keys?wait_s=0"
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    first, again = [
        (await admin.post(path, json=ADMINISTERS, headers=headers)).json() for _ in range(2)
    ]
    assert keys.parse(first["key"]).key_id == first["key_id"]
    assert (again["key"], again["pending"]) == (None, True)
    assert (first["confirmed"], again["confirmed"]) == (False, False)
    alone = (await admin.post(path, json=ADMINISTERS)).json()
    assert (alone["pending"], alone["confirmed"]) == (True, True)


ADMINISTERS = {"name": "another administrator", "scopes": ["admin"]}


async def test_a_key_is_rotated_without_an_interruption(
    admin: httpx2.AsyncClient, url: str, gpt_id: str
) -> None:
    """Both open the GPT for the overlap; with none the old one ends at once."""
    path = f"/v1/admin/gpts/{gpt_id}/keys"
    old = (
        await admin.post(path, json={"name": "x", "scopes": ["read"], "rate_limits": UNLIMITED})
    ).json()
    assert (await call(url, old["key"])).status_code == 200
    rotated = await admin.post(f"{path}/{old['key_id']}/rotate", json={"overlap_s": 600})
    new = rotated.json()
    assert (rotated.status_code, new["scopes"], new["name"]) == (201, ["read"], "x")
    assert new["rate_limits"] == UNLIMITED
    assert [(await call(url, each["key"])).status_code for each in (old, new)] == [200, 200]
    [left, right] = (await admin.get(path)).json()["items"]
    assert (left["replaced_by"], right["replaced_by"]) == (new["key_id"], None)
    assert left["expires_at"] is not None
    assert right["expires_at"] is None
    asked = {"overlap_s": 0, "rate_limits": "key:700/h"}
    last = await admin.post(f"{path}/{new['key_id']}/rotate", json=asked)
    assert last.json()["rate_limits"] == "key:700/h"
    assert (await call(url, last.json()["key"])).status_code == 200
    assert await until_status(url, new["key"], 401) < 1
    twice = await admin.post(f"{path}/{old['key_id']}/rotate")
    assert code(twice) == (409, "key_replaced")


async def test_a_new_key_lives_as_long_as_the_old_one_was_to(
    admin: httpx2.AsyncClient, gpt_id: str
) -> None:
    """Rotating does not make a key of limited life one without an end."""
    path = f"/v1/admin/gpts/{gpt_id}/keys"
    ends_at = datetime.now(UTC) + timedelta(days=30)
    old = (await admin.post(path, json={"name": "x", "expires_at": ends_at.isoformat()})).json()
    new = (await admin.post(f"{path}/{old['key_id']}/rotate")).json()
    life = datetime.fromisoformat(new["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=29, hours=23) < life < timedelta(days=30, minutes=1)


async def test_a_revoked_key_and_a_disabled_gpt_are_refused_within_a_second(
    admin: httpx2.AsyncClient, url: str, gpt_id: str
) -> None:
    """Although the gateway has just taken them; an enabled GPT's keys are taken again."""
    path = f"/v1/admin/gpts/{gpt_id}"
    body = {"name": "x", "rate_limits": UNLIMITED}
    first, second = [(await admin.post(f"{path}/keys", json=body)).json() for _ in range(2)]
    assert [(await call(url, each["key"])).status_code for each in (first, second)] == [200, 200]
    revoked = await admin.delete(f"{path}/keys/{first['key_id']}")
    assert revoked.json()["revoked_at"] is not None
    assert await until_status(url, first["key"], 401) < 1
    assert (await call(url, second["key"])).status_code == 200
    assert (await admin.post(f"{path}/disable")).json()["disabled_at"] is not None
    assert await until_status(url, second["key"], 403) < 1
    assert code(await call(url, second["key"])) == (403, "gpt_disabled")
    assert (await admin.post(f"{path}/enable")).json()["disabled_at"] is None
    assert await until_status(url, second["key"], 200) < 1


async def test_a_deleted_gpt_is_gone_with_its_keys(
    admin: httpx2.AsyncClient, url: str, gpt_id: str
) -> None:
    """Its keys open nothing, and its id leads nowhere and is not given again."""
    path = f"/v1/admin/gpts/{gpt_id}"
    key = (await admin.post(f"{path}/keys", json={"name": "x"})).json()["key"]
    assert (await call(url, key)).status_code == 200
    assert (await admin.delete(path)).json()["deleted_at"] is not None
    assert await until_status(url, key, 401) < 1
    assert code(await admin.get(path)) == (404, "deleted")
    assert code(await admin.get(f"{path}/keys")) == (404, "deleted")
    assert code(await admin.delete(path)) == (404, "not_found")
    assert code(await admin.post("/v1/admin/gpts", json={"gpt_id": gpt_id})) == (409, "gpt_exists")


async def test_keys_are_listed_in_pages_with_their_last_use(
    admin: httpx2.AsyncClient, gpt_id: str, gateway_settings: GatewaySettings
) -> None:
    """Oldest first, nothing twice; another GPT's cursor leads nowhere."""
    path = f"/v1/admin/gpts/{gpt_id}/keys"
    made = [(await admin.post(path, json={"name": str(n)})).json()["key_id"] for n in range(5)]
    used_at = datetime(2026, 11, 21, 10, 42, tzinfo=UTC)
    engine = create_engine(gateway_settings.gateway_database_url.get_secret_value())
    with engine.begin() as connection:
        connection.execute(insert(KEY_USES).values(key_id=made[0], used_at=used_at))
    engine.dispose()
    page = (await admin.get(path, params={"limit": 3})).json()
    cursor = page["next_cursor"]
    rest = (await admin.get(path, params={"limit": 3, "cursor": cursor})).json()
    items = page["items"] + rest["items"]
    assert [item["key_id"] for item in items] == made
    assert [item["last_used_at"] for item in items[:2]] == ["2026-11-21T10:42:00Z", None]
    foreign = await admin.get(f"/v1/admin/gpts/{ADMIN}/keys", params={"cursor": cursor})
    assert code(foreign) == (400, "malformed")


async def test_only_keys_that_administer_open_it(
    admin: httpx2.AsyncClient, api: httpx2.AsyncClient, gateway_settings: GatewaySettings
) -> None:
    """A tenant's own key is refused there, as one that administers is everywhere else."""
    assert code(await api.get("/v1/admin/gpts")) == (403, "forbidden")
    path = f"/v1/admin/gpts/{gateway_settings.gpt_id}"
    assert code(await api.post(f"{path}/keys", json={"name": "x"})) == (403, "forbidden")
    assert code(await api.delete(path)) == (403, "forbidden")
    assert code(await admin.get("/v1/documents")) == (403, "forbidden")


async def test_what_is_not_there_is_not_found(admin: httpx2.AsyncClient, gpt_id: str) -> None:
    """Unknown GPTs, unknown keys, and keys of another GPT."""
    key_id = keys.mint("test").key_id
    unknown = f"/v1/admin/gpts/{new_id()}"
    own = (await admin.get(f"/v1/admin/gpts/{ADMIN}/keys")).json()["items"][0]["key_id"]
    for method, path in (
        ("GET", unknown),
        ("GET", f"{unknown}/keys"),
        ("POST", f"{unknown}/disable"),
        ("DELETE", f"{unknown}/keys/{key_id}"),
        ("POST", f"/v1/admin/gpts/{gpt_id}/keys/{key_id}/rotate"),
        ("DELETE", f"/v1/admin/gpts/{gpt_id}/keys/{own}"),
        ("GET", "/v1/admin/requests/req_1"),
    ):
        assert code(await admin.request(method, path)) == (404, "not_found"), path

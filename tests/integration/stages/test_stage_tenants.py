"""Tenants and keys on a real Postgres: judged under the tenant's lock, told without secrets."""

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Row, insert, select

from schemas import keys
from schemas.envelope import Envelope
from schemas.ids import REQUEST, Ids
from schemas.tables import API_KEYS, EVENTS, GPTS
from schemas.tenants import ADMIN, ChangeGpt
from schemas.topics import CHANGE_GPT
from streams.batch_ledger import BatchLedger, Turn
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.stage import Record
from streams.stages import tenants
from streams.tenants.keys import MAX_LIVE
from streams.wire import Incoming

PEPPER = "p" * 32
GONE_LONG = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass
class World:
    """The stage before a ledger; `ask` is a request of the tenant `admin`."""

    database: Database
    ids: Ids
    records: tuple[Record, ...] = ()

    async def ask(
        self, gpt_id: str, change: Mapping[str, Any], *, sender: str = ADMIN, request: str = ""
    ) -> dict[str, Any]:
        """Returns: the answer as the topic of results has it; all records are in `records`."""
        message = ChangeGpt.model_validate({"gpt_id": gpt_id, "change": change, "by": "a test"})
        envelope = Envelope.model_validate(
            {
                "request-id": request or self.ids.mint(REQUEST, sender),
                "gpt-id": sender,
                "schema": CHANGE_GPT.schema_name,
            }
        )
        stage = tenants.stage()
        work = stage.work(message, envelope, None, self.ids)
        incoming = Incoming(CHANGE_GPT.name, 0, 0, None, b"", (), lambda: False)
        turn = Turn(incoming, message, work, "results")
        ledger = BatchLedger(self.database, owner="test")
        [self.records] = (await ledger.commit(stage, [turn])).outputs
        answer: dict[str, Any] = json.loads(self.records[0].value)
        return answer

    async def done(self, gpt_id: str, change: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        """Returns: the result of a change that is made."""
        answer = await self.ask(gpt_id, change, **more)
        assert answer["problem"] is None
        result: dict[str, Any] = answer["result"]
        return result

    async def refused(self, gpt_id: str, change: Mapping[str, Any], **more: Any) -> tuple[int, str]:
        """Returns: status and code of the problem that a change ends with."""
        problem = (await self.ask(gpt_id, change, **more))["problem"]
        return problem["status"], problem["code"]

    def told(self, topic: str) -> list[Any]:
        """Returns: the values of what was published to a topic with the last answer."""
        return [json.loads(each.value) for each in self.records if each.topic == topic]

    async def row(self, table: Any, **is_: str) -> Row[Any]:
        where = [table.c[name] == value for name, value in is_.items()]
        async with self.database.transaction() as connection:
            return (await connection.execute(select(table).where(*where))).one()


def new_key(*scopes: str, **more: Any) -> dict[str, Any]:
    """A key to enter, as a gateway makes it."""
    key = keys.mint("test")
    return {
        "op": "create-key",
        "key_id": key.key_id,
        "hash_hex": key.hashed(PEPPER).hex(),
        "name": "a key",
        "scopes": scopes or ("read", "write"),
        **more,
    }


@pytest.fixture
def world(settings: Settings, database: Database) -> World:
    return World(database, Ids(settings.id_secret.get_secret_value()))


@pytest.fixture
async def gpt_id(world: World) -> str:
    """A tenant of the test's own."""
    made = f"t-{uuid.uuid4().hex[:12]}"
    await world.done(made, {"op": "create-gpt", "name": "Mine"})
    return made


async def test_a_gpt_is_made_once(world: World) -> None:
    """It is answered with its row, an event is numbered in the tenant `admin`, a second is 409."""
    gpt_id = f"t-{uuid.uuid4().hex[:12]}"
    result = await world.done(gpt_id, {"op": "create-gpt", "name": "Diary", "max_objects": 7})
    assert result["status"] == 201
    assert result["gpt"]["gpt_id"] == gpt_id
    assert result["gpt"]["max_objects"] == 7
    assert result["gpt"]["created_at"].endswith("Z")
    [event] = world.told("events")
    assert (event["type"], event["gptid"], event["subject"]) == ("gpt.created", ADMIN, gpt_id)
    assert await world.refused(gpt_id, {"op": "create-gpt", "name": "x"}) == (409, "gpt_exists")


async def test_two_creations_of_one_id_race(world: World) -> None:
    """One is made, the other one is told that it exists; neither is a bug."""
    gpt_id = f"t-{uuid.uuid4().hex[:12]}"
    other = World(world.database, world.ids)
    create = {"op": "create-gpt", "name": "x"}
    answers = await asyncio.gather(world.ask(gpt_id, create), other.ask(gpt_id, create))
    codes = sorted(str(answer["problem"] and answer["problem"]["code"]) for answer in answers)
    assert codes == ["None", "gpt_exists"]


async def test_a_request_that_comes_again_changes_nothing(world: World, gpt_id: str) -> None:
    """The first one's answer is published again, and the second secret was never stored."""
    request, first, second = world.ids.mint(REQUEST, ADMIN), new_key(), new_key()
    made = await world.done(gpt_id, first, request=request)
    assert await world.done(gpt_id, second, request=request) == made
    assert made["key"]["key_id"] == first["key_id"]
    assert await world.refused(gpt_id, {"op": "revoke-key", "key_id": second["key_id"]}) == (
        404,
        "not_found",
    )


async def test_only_the_tenant_admin_may_ask(world: World, gpt_id: str) -> None:
    """A record of another tenant is refused, whatever it asks, and changes nothing."""
    for change in (new_key(), {"op": "delete-gpt"}, {"op": "disable-gpt"}):
        assert await world.refused(gpt_id, change, sender=gpt_id) == (403, "forbidden")
    assert (await world.row(GPTS, gpt_id=gpt_id)).deleted_at is None


async def test_what_is_told_of_a_key_never_has_its_hash(world: World, gpt_id: str) -> None:
    """The row has it; answer, events and facts name the key by its id alone."""
    change = new_key("read:diary", subject="someone", rate_limits="key:1/s")
    result = await world.done(gpt_id, change)
    row = await world.row(API_KEYS, key_id=change["key_id"])
    assert row.hash.hex() == change["hash_hex"]
    assert (row.scopes, row.subject, row.rate_limits) == (["read:diary"], "someone", "key:1/s")
    assert result["status"] == 201
    assert not any(change["hash_hex"].encode() in record.value for record in world.records)
    assert world.told("key-changed") == [{"gpt_id": gpt_id, "key_ids": [change["key_id"]]}]
    [event] = world.told("events")
    assert event["data"] == {
        "gpt_id": gpt_id,
        "key_id": change["key_id"],
        "name": "a key",
        "scopes": ["read:diary"],
    }


@pytest.mark.parametrize(
    ("tenant", "scopes"), [("own", ["admin"]), ("admin", ["read"]), ("admin", ["admin", "write"])]
)
async def test_administering_is_for_one_tenant(
    world: World, gpt_id: str, tenant: str, scopes: list[str]
) -> None:
    """Its keys have the scope admin and no other, and no other key has it."""
    target = gpt_id if tenant == "own" else ADMIN
    assert await world.refused(target, new_key(*scopes)) == (422, "invalid_scope")


async def test_a_key_is_rotated_once_and_ends_when_it_was_said(world: World, gpt_id: str) -> None:
    """Both are taken until then; the new one names no less than the old one did."""
    old = new_key()
    await world.done(gpt_id, old)
    ends_at = datetime.now(UTC) + timedelta(hours=1)
    new = {**new_key(), "op": "rotate-key", "replaces": old["key_id"], "old_ends_at": ends_at}
    result = await world.done(gpt_id, new)
    assert (result["status"], result["key"]["key_id"]) == (201, new["key_id"])
    row = await world.row(API_KEYS, key_id=old["key_id"])
    assert (row.replaced_by, row.expires_at) == (new["key_id"], ends_at)
    [changed] = world.told("key-changed")
    assert changed["key_ids"] == [old["key_id"], new["key_id"]]
    again = {**new, "key_id": new_key()["key_id"]}
    assert await world.refused(gpt_id, again) == (409, "key_replaced")


async def test_a_rotation_never_lengthens_a_keys_life(world: World, gpt_id: str) -> None:
    """An old key that ends before the overlap does ends when it was to."""
    ended = new_key(expires_at=GONE_LONG)
    await world.done(gpt_id, ended)
    until = datetime.now(UTC) + timedelta(days=1)
    change = {**new_key(), "op": "rotate-key", "replaces": ended["key_id"], "old_ends_at": until}
    await world.done(gpt_id, change)
    assert (await world.row(API_KEYS, key_id=ended["key_id"])).expires_at == GONE_LONG


async def test_a_revoked_key_stays_revoked(world: World, gpt_id: str) -> None:
    """To revoke it again is harmless and tells no event; to rotate it is 409."""
    key = new_key()
    await world.done(gpt_id, key)
    change = {"op": "revoke-key", "key_id": key["key_id"]}
    first = await world.done(gpt_id, change)
    assert first["key"]["revoked_at"] is not None
    assert await world.done(gpt_id, change) == first
    assert world.told("events") == []
    rotation = {**new_key(), "op": "rotate-key", "replaces": key["key_id"]}
    assert await world.refused(gpt_id, rotation) == (409, "key_revoked")


async def test_another_tenants_key_is_not_found(world: World, gpt_id: str) -> None:
    """It is neither revoked nor rotated, and its id is given to no other key."""
    other, key = f"t-{uuid.uuid4().hex[:12]}", new_key()
    await world.done(other, {"op": "create-gpt", "name": "x"})
    await world.done(other, key)
    revoke = {"op": "revoke-key", "key_id": key["key_id"]}
    assert await world.refused(gpt_id, revoke) == (404, "not_found")
    rotate = {**new_key(), "op": "rotate-key", "replaces": key["key_id"]}
    assert await world.refused(gpt_id, rotate) == (404, "not_found")
    assert await world.refused(gpt_id, key) == (409, "key_exists")


async def test_a_gpt_has_at_most_so_many_live_keys(world: World, gpt_id: str) -> None:
    """Ended ones do not count; at the limit a key is still rotated, if the old one ends at once."""
    live = [new_key() for _ in range(MAX_LIVE)]
    rows = [
        {
            "key_id": each["key_id"],
            "gpt_id": gpt_id,
            "name": "x",
            "scopes": ["read"],
            "hash": b"x",
        }
        for each in live
    ]
    await world.done(gpt_id, new_key(expires_at=GONE_LONG))
    async with world.database.transaction() as connection:
        await connection.execute(insert(API_KEYS), rows)
    assert await world.refused(gpt_id, new_key()) == (403, "too_many_keys")
    rotate = {**new_key(), "op": "rotate-key", "replaces": live[0]["key_id"]}
    later = {**rotate, "old_ends_at": datetime.now(UTC) + timedelta(hours=1)}
    assert await world.refused(gpt_id, later) == (403, "too_many_keys")
    assert (await world.done(gpt_id, rotate))["status"] == 201


async def test_a_gpt_is_disabled_and_enabled(world: World, gpt_id: str) -> None:
    """Gateways are told to forget all its keys; what is so already is left, without an event."""
    disabled = await world.done(gpt_id, {"op": "disable-gpt"})
    assert disabled["gpt"]["disabled_at"] is not None
    assert world.told("key-changed") == [{"gpt_id": gpt_id, "key_ids": []}]
    assert await world.done(gpt_id, {"op": "disable-gpt"}) == disabled
    assert world.told("events") == []
    enabled = await world.done(gpt_id, {"op": "enable-gpt"})
    assert enabled["gpt"]["disabled_at"] is None
    assert [event["data"]["disabled"] for event in world.told("events")] == [False]


async def test_a_change_touches_what_is_given_alone(world: World, gpt_id: str) -> None:
    """A quota can be taken back to the installation's; a name cannot be taken away."""
    change = {"op": "change-gpt", "max_objects": 5, "given": ["max_objects"]}
    assert (await world.done(gpt_id, change))["gpt"]["max_objects"] == 5
    change = {"op": "change-gpt", "name": "Yours", "given": ["name"]}
    changed = (await world.done(gpt_id, change))["gpt"]
    assert (changed["name"], changed["max_objects"]) == ("Yours", 5)
    change = {"op": "change-gpt", "max_objects": None, "given": ["max_objects"]}
    assert (await world.done(gpt_id, change))["gpt"]["max_objects"] is None
    nameless = {"op": "change-gpt", "given": ["name"]}
    assert await world.refused(gpt_id, nameless) == (422, "invalid_input")


async def test_a_deleted_gpt_is_gone_for_good(world: World, gpt_id: str) -> None:
    """Its keys end with it, whatever is asked of it is 404, and its id is never given again."""
    key = new_key()
    await world.done(gpt_id, key)
    result = await world.done(gpt_id, {"op": "delete-gpt"})
    assert result["gpt"]["deleted_at"] is not None
    assert world.told("gpt-deleted") == [{"gpt_id": gpt_id}]
    assert (await world.row(API_KEYS, key_id=key["key_id"])).revoked_at is not None
    for change in ({"op": "delete-gpt"}, {"op": "enable-gpt"}, new_key()):
        assert await world.refused(gpt_id, change) == (404, "not_found")
    assert await world.refused(gpt_id, {"op": "create-gpt", "name": "x"}) == (409, "gpt_exists")


async def test_the_tenant_admin_is_protected(world: World) -> None:
    """It can be neither deleted nor disabled."""
    for op in ("delete-gpt", "disable-gpt"):
        assert await world.refused(ADMIN, {"op": op}) == (409, "admin_protected")


async def test_the_last_admin_key_stays_though_two_are_revoked_at_once(world: World) -> None:
    """Of two revocations that race, the second one finds the last key; it can be rotated."""
    first, second = new_key("admin"), new_key("admin")
    live = {key.key_id for key in await _live_of_admin(world)}
    for key in (first, second):
        await world.done(ADMIN, key)
    for key_id in live:
        await world.done(ADMIN, {"op": "revoke-key", "key_id": key_id})
    worlds = world, World(world.database, world.ids)
    answers = await asyncio.gather(
        *(
            one.ask(ADMIN, {"op": "revoke-key", "key_id": key["key_id"]})
            for one, key in zip(worlds, (first, second), strict=True)
        )
    )
    codes = sorted(str(answer["problem"] and answer["problem"]["code"]) for answer in answers)
    assert codes == ["None", "last_admin_key"]
    [left] = await _live_of_admin(world)
    rotate = {**new_key("admin"), "op": "rotate-key", "replaces": left.key_id}
    assert (await world.done(ADMIN, rotate))["status"] == 201


async def _live_of_admin(world: World) -> Sequence[Row[Any]]:
    query = select(API_KEYS.c.key_id).where(
        API_KEYS.c.gpt_id == ADMIN, API_KEYS.c.revoked_at.is_(None)
    )
    async with world.database.transaction() as connection:
        return (await connection.execute(query)).all()


async def test_events_are_numbered_in_the_tenant_admin(world: World, gpt_id: str) -> None:
    """The changed tenant's own sequence is not touched."""
    await world.done(gpt_id, new_key())
    async with world.database.transaction() as connection:
        query = select(EVENTS.c.sequence).where(EVENTS.c.gpt_id == ADMIN)
        numbers = sorted((await connection.execute(query)).scalars())
        own = await connection.execute(select(EVENTS).where(EVENTS.c.gpt_id == gpt_id))
        assert own.all() == []
    assert numbers == list(range(1, len(numbers) + 1))


async def test_two_tenants_race_for_one_key_id(world: World, gpt_id: str) -> None:
    """One gets it, the other one is refused; neither is a bug."""
    other, key = f"t-{uuid.uuid4().hex[:12]}", new_key()
    await world.done(other, {"op": "create-gpt", "name": "x"})
    second = World(world.database, world.ids)
    answers = await asyncio.gather(world.ask(gpt_id, key), second.ask(other, key))
    codes = sorted(str(answer["problem"] and answer["problem"]["code"]) for answer in answers)
    assert codes == ["None", "key_exists"]

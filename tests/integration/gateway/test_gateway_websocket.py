"""Events over a WebSocket: who is let in, acknowledging, flow control, resuming, how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import update
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gateway.settings import GatewaySettings
from schemas.keys import Key
from schemas.tables import API_KEYS
from streams.settings import Settings
from tests.integration.gateway.conftest import Rows, Serve
from tests.integration.gateway.telling import Teller, teller
from tests.integration.gateway.test_gateway_restarts import Instance

PROTOCOL = Subprotocol("actionstream.v1")


@pytest.fixture
def told(settings: Settings, rows: Rows) -> Teller:
    """Writes events of a tenant of this test's own."""
    return teller(settings, rows.engine)


@pytest.fixture(scope="module")
async def base(serve: Serve, gateway_settings: GatewaySettings) -> AsyncIterator[str]:
    """The address of a gateway with short times, without its scheme."""
    changed = GatewaySettings.model_validate(
        {
            **gateway_settings.model_dump(),
            "event_ping": "PT1S",
            "event_stall": "PT2S",
            "websocket_origins": "https://app.example",
        }
    )
    async with serve(changed) as url:
        yield url.removeprefix("http://")


def opened(base: str, key: Key | str | None = None, **more: Any) -> Any:
    """A connection; with a key it authenticates by sub-protocol."""
    offered = [PROTOCOL] if key is None else [PROTOCOL, Subprotocol(f"bearer.{key}")]
    return connect(f"ws://{base}/v1/ws", subprotocols=offered, proxy=None, **more)


async def say(socket: ClientConnection, **message: Any) -> None:
    """Send a message."""
    await socket.send(json.dumps(message))


async def hear(socket: ClientConnection) -> dict[str, Any]:
    """Returns: the next message."""
    found: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), 10))
    return found


async def subscribed(socket: ClientConnection, **wanted: Any) -> str:
    """Returns: the cursor at which a subscription begins."""
    assert (await hear(socket))["type"] == "authenticated"
    await say(socket, type="subscribe", **wanted)
    answer = await hear(socket)
    assert answer["type"] == "subscribed", answer
    return str(answer["cursor"])


async def ended(socket: ClientConnection) -> tuple[int | None, dict[str, Any]]:
    """Returns: the code that a connection is closed with, and the last message before."""
    last: dict[str, Any] = {}
    try:
        while True:
            last = await hear(socket)
    except ConnectionClosed:
        return socket.close_code, last


async def test_events_come_and_are_acknowledged(base: str, told: Teller, rows: Rows) -> None:
    """By a key in the sub-protocol; the last cursor is where another connection goes on."""
    key = rows.key(told.gpt_id)
    numbers = told.tell("document.received", "document.parsed", "batch.created")
    async with opened(base, key) as socket:
        assert socket.subprotocol == PROTOCOL
        await subscribed(socket, since="0", types=["document.*"])
        first = await hear(socket)
        assert (first["type"], first["event"]["sequence"]) == ("event", numbers[0])
        await say(socket, type="ack", cursor=first["cursor"])
        assert (await hear(socket))["event"]["type"] == "document.parsed"
    async with opened(base, key) as socket:
        await subscribed(socket, since=first["cursor"])
        assert (await hear(socket))["event"]["sequence"] == numbers[1]
        assert (await hear(socket))["event"]["sequence"] == numbers[2]
        [number] = told.tell("document.classified")
        assert (await hear(socket))["event"]["sequence"] == number


async def test_the_first_message_may_bear_the_key(base: str, told: Teller, rows: Rows) -> None:
    """For clients that cannot choose sub-protocols."""
    async with connect(f"ws://{base}/v1/ws", proxy=None) as socket:
        await say(socket, type="authenticate", token=str(rows.key(told.gpt_id)))
        await subscribed(socket)
        await say(socket, type="ping", id="7")
        assert await hear(socket) == {"type": "pong", "id": "7"}
        [number] = told.tell("document.received")
        assert (await hear(socket))["event"]["sequence"] == number


async def test_never_more_in_flight_than_wanted(base: str, told: Teller, rows: Rows) -> None:
    """What is not acknowledged holds the rest back; an acknowledgement covers all before it."""
    told.tell(*["document.received"] * 5)
    async with opened(base, rows.key(told.gpt_id)) as socket:
        await subscribed(socket, since="0", max_in_flight=2)
        await hear(socket)
        second = await hear(socket)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.recv(), 0.5)
        await say(socket, type="ack", cursor=second["cursor"])
        assert [(await hear(socket))["event"]["sequence"] for _ in range(2)] == [3, 4]


async def test_who_does_not_acknowledge_is_closed(base: str, told: Teller, rows: Rows) -> None:
    """And told how far it has acknowledged, so that it goes on without a gap."""
    key = rows.key(told.gpt_id)
    told.tell(*["document.received"] * 3)
    async with opened(base, key) as socket:
        await subscribed(socket, since="0", max_in_flight=2)
        first = await hear(socket)
        await say(socket, type="ack", cursor=first["cursor"])
        code, last = await ended(socket)
    assert (code, last["type"], last["reason"]) == (4408, "closed", "slow_reader")
    assert last["acknowledged"] == first["cursor"]
    async with opened(base, key) as socket:
        await subscribed(socket, since=last["acknowledged"])
        assert (await hear(socket))["event"]["sequence"] == 2


async def test_what_is_not_wanted_moves_the_place(base: str, told: Teller, rows: Rows) -> None:
    """A subscription of rare events is told how far it has looked."""
    async with opened(base, rows.key(told.gpt_id)) as socket:
        begun = await subscribed(socket, types=["batch.completed"])
        told.tell("document.received")
        message = await hear(socket)
    assert message["type"] == "position"
    assert message["cursor"] != begun


async def test_a_revoked_key_is_closed(base: str, told: Teller, rows: Rows) -> None:
    """Within seconds; a repeat with the same key is refused."""
    key = rows.key(told.gpt_id)
    async with opened(base, key) as socket:
        await subscribed(socket)
        revoked = update(API_KEYS).where(API_KEYS.c.key_id == key.key_id)
        with rows.engine.begin() as connection:
            connection.execute(revoked.values(revoked_at=datetime.now(UTC)))
        change = json.dumps({"gpt_id": told.gpt_id, "key_ids": [key.key_id]}).encode()
        topic = told.topic.removesuffix("events") + "key-changed"
        told.producer.produce(topic, change, told.gpt_id.encode())
        told.producer.flush(10)
        code, last = await ended(socket)
    assert (code, last["reason"], last["problem"]["status"]) == (4401, "unauthorised", 401)
    with pytest.raises(InvalidStatus) as refused:
        await opened(base, key).__aenter__()
    assert refused.value.response.status_code == 401


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("no json", 4400),
        (b"binary", 4400),
        ("[]", 4400),
        ("[" * 60_000, 4400),
        ('{"type":"subscribe","sinse":"0"}', 4400),
        ('{"type":"subscribe","since":"999"}', 4400),
        ('{"type":"subscribe","since":"garbage"}', 4400),
        ('{"type":"subscribe","types":["docs.*"]}', 4400),
        ('{"type":"subscribe","max_in_flight":100000}', 4400),
        ('{"type":"ack","cursor":"1"}', 4400),
        ('{"type":"authenticate","token":"' + "x" * 70_000 + '"}', 1009),
        ('{"type":"what"}', 4400),
    ],
    ids=lambda value: str(value)[:44],
)
async def test_wrong_messages_end_it_with_a_problem(
    base: str, told: Teller, rows: Rows, message: str | bytes, code: int
) -> None:
    """Each with the code that is documented."""
    async with opened(base, rows.key(told.gpt_id)) as socket:
        await hear(socket)
        await socket.send(message)
        closed, last = await ended(socket)
    assert closed == code
    if code == 4400:
        assert last["problem"]["status"] in {400, 422}, last


async def test_expired_and_foreign_places_are_told(
    base: str, told: Teller, settings: Settings, rows: Rows
) -> None:
    """What followed is no longer kept: 4410, and where to begin."""
    told.tell(*["document.received"] * 3)
    told.forget(2)
    async with opened(base, rows.key(told.gpt_id)) as socket:
        await hear(socket)
        await say(socket, type="subscribe", since="1")
        code, last = await ended(socket)
    assert (code, last["problem"]["code"], last["problem"]["first"]) == (4410, "events_expired", 3)
    other = teller(settings, rows.engine)
    async with opened(base, rows.key(other.gpt_id)) as socket:
        theirs = await subscribed(socket)
    async with opened(base, rows.key(told.gpt_id)) as socket:
        await hear(socket)
        await say(socket, type="subscribe", since=theirs)
        assert (await ended(socket))[0] == 4400


async def test_messages_out_of_turn_end_it(base: str, told: Teller, rows: Rows) -> None:
    """A second subscription, and an acknowledgement of what was not sent."""
    ahead = (await asyncio.to_thread(told.tell, "document.received"))[0] + 5
    for message in ({"type": "subscribe"}, {"type": "ack", "cursor": str(ahead)}):
        async with opened(base, rows.key(told.gpt_id)) as socket:
            await subscribed(socket)
            await say(socket, **message)
            code, last = await ended(socket)
        assert (code, last["reason"]) == (4400, "malformed")


async def _handshake(base: str, path: str = "/v1/ws", **more: Any) -> tuple[int, dict[str, Any]]:
    context = connect(f"ws://{base}{path}", proxy=None, **more)
    with pytest.raises(InvalidStatus) as refused:
        await context.__aenter__()
    answer = refused.value.response
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = json.loads(answer.body)
    return answer.status_code, problem


async def test_handshakes_are_refused_with_a_problem(base: str, told: Teller, rows: Rows) -> None:
    """A key in the URL, a foreign page, a wrong key, a key that does not read."""
    key = rows.key(told.gpt_id)
    status, problem = await _handshake(base, path=f"/v1/ws?token={key}")
    assert (status, problem["code"]) == (400, "malformed")
    status, problem = await _handshake(base, origin="https://evil.example")
    assert (status, problem["code"]) == (403, "forbidden")
    offered = [PROTOCOL, Subprotocol(f"bearer.{str(key)[:-2]}xx")]
    assert (await _handshake(base, subprotocols=offered))[0] == 401
    writes = rows.key(told.gpt_id, scopes=["write"])
    offered = [PROTOCOL, Subprotocol(f"bearer.{writes}")]
    assert (await _handshake(base, subprotocols=offered))[0] == 403
    async with opened(base, key, origin="https://app.example") as socket:
        await subscribed(socket)
    async with opened(base, key, origin=f"http://{base}") as socket:
        await subscribed(socket)


async def test_no_key_is_in_the_log(
    gateway_settings: GatewaySettings, told: Teller, rows: Rows, tmp_path: Path
) -> None:
    """Neither of the sub-protocol nor of a URL, where none should be, however much is logged."""
    key, log = rows.key(told.gpt_id), tmp_path / "gateway.log"
    with log.open("wb") as file:
        gateway = Instance(gateway_settings.model_copy(update={"log_level": "DEBUG"}), file)
        try:
            await asyncio.to_thread(gateway.start)
            base = f"127.0.0.1:{gateway.port}"
            assert (await _handshake(base, path=f"/v1/ws?token={key}"))[0] == 400
            async with opened(base, key) as socket:
                await subscribed(socket)
        finally:
            await asyncio.to_thread(gateway.end)
    lines = log.read_text()
    assert '"route":"/v1/ws"' in lines
    assert str(key.secret) not in lines


async def test_other_calls_of_the_path_are_told_what_it_speaks(base: str) -> None:
    """And elsewhere a wish for a WebSocket is ignored."""
    upgrade = {"Connection": "Upgrade", "Upgrade": "websocket"}
    async with httpx2.AsyncClient(base_url=f"http://{base}", trust_env=False) as client:
        answer = await client.get("/v1/ws")
        assert (answer.status_code, answer.json()["code"]) == (426, "upgrade_required")
        assert (await client.get("/live", headers=upgrade)).status_code == 204


async def test_strangers_do_not_stay(base: str) -> None:
    """Who does not say who it is, and sends something else first, is closed."""
    async with connect(f"ws://{base}/v1/ws", proxy=None) as socket:
        await say(socket, type="subscribe")
        code, last = await ended(socket)
    assert (code, last["problem"]["code"]) == (4400, "malformed")
    async with connect(f"ws://{base}/v1/ws", proxy=None) as socket:
        await say(socket, type="authenticate", token="as_nobody")
        code, last = await ended(socket)
    assert (code, last["problem"]["code"]) == (4401, "unauthorised")


async def test_who_says_nothing_is_closed(base: str) -> None:
    """A socket without a key has ten seconds, so that nobody holds places for nothing."""
    async with connect(f"ws://{base}/v1/ws", proxy=None) as socket:
        await socket.wait_closed()
        assert (socket.close_code, socket.close_reason) == (4408, "idle")

"""Keys are remembered, forgotten and doubted: what a gateway accepts, and what it asks for."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from prometheus_client import generate_latest

from gateway.direct import Direct
from gateway.errors import GatewayError, GptDisabled, Unauthorised, Unavailable
from gateway.keys.keys import Keys
from gateway.keys.memory import REFUSED_S, Known, Memory
from gateway.keys.turns import AT_ONCE, MOST_WAITING, Turns
from gateway.metrics import Metrics
from gateway.principal import Principal
from gateway.settings import GatewaySettings
from schemas.keys import Key, mint
from tests.fakes.keys import FakeDirect, KeyRow
from tests.unit.gateway.conftest import NOWHERE

PEPPER = NOWHERE["key_pepper"]


class World:
    """Keys of one gateway whose clock stands still, before a table in memory."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.now = 1000.0
        self.server = FakeDirect(lambda: self.now)
        self.memory = Memory(settings.key_cache.total_seconds())
        self.metrics = Metrics()
        self.spent: set[str] = set()
        direct = cast("Direct", self.server)
        turns = Turns(self.spent.__contains__)
        self.keys = Keys(settings, direct, self.metrics, self.memory, turns, clock=lambda: self.now)
        self.key = mint("test")
        self.row: KeyRow = self.server.enter(self.key, PEPPER)
        self.memory.doubt(self.now)
        self.now += 0.01

    async def ask(self, key: object | None = None, address: str = "192.0.2.1") -> Principal:
        text = str(self.key if key is None else key)
        return self.keys.remembered(text) or await self.keys.read(text, address)

    async def later(
        self, key: Key | None = None, address: str = "192.0.2.1"
    ) -> "asyncio.Task[Principal]":
        """A call that has begun, and waits for its read."""
        task = asyncio.create_task(self.ask(key, address))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return task

    async def answer(self, most: int | None = None) -> None:
        """So many reads are answered, or all that there are and that follow from them."""
        while self.server.reads and most != 0:
            self.server.execute()
            self.server.deliver()
            most = None if most is None else most - 1
            for _ in range(8):
                await asyncio.sleep(0)

    def wait(self, seconds: float) -> None:
        """Time goes by, and news come in until its end."""
        self.now += seconds
        self.memory.hear(self.now)


@pytest.fixture
def world(nowhere: GatewaySettings) -> World:
    """Keys of one gateway, which hears of changes, and one key in the table."""
    return World(nowhere)


async def test_a_key_says_whose_it_is(world: World) -> None:
    """Tenant, end user, scopes and limits are those of its row."""
    world.row.subject, world.row.scopes, world.row.rate_limits = "ann", ("read:diary",), "key:1/m"
    found = await world.ask()
    assert found == Principal("demo", "ann", world.key.key_id, frozenset({"read:diary"}), "key:1/m")
    assert found.name == "ann"
    assert replace(found, subject=None).name == f"key:{world.key.key_id}"


async def test_a_key_is_read_once_a_minute_while_news_come_in(world: World) -> None:
    """Between the reads nothing is asked of any server."""
    for _ in range(130):
        await world.ask()
        world.wait(1)
    assert world.server.asked == 3


async def test_without_news_a_key_is_read_anew(world: World) -> None:
    """One read serves the calls of half a second, no longer."""
    for _ in range(10):
        world.now += 0.25
        await world.ask()
    assert world.server.asked == 5


async def test_calls_at_the_same_time_share_a_read(world: World) -> None:
    """A crowd with a key that is not known asks once."""
    world.server.held = True
    calls = [await world.later() for _ in range(20)]
    world.server.execute()
    world.server.deliver()
    assert len({call.key_id for call in await asyncio.gather(*calls)}) == 1
    assert world.server.asked == 1


async def test_nobody_joins_a_read_that_began_long_ago(world: World) -> None:
    """What it saw may have been revoked since; whoever comes later asks again."""
    world.server.held = True
    first = await world.later()
    world.server.execute()
    world.row.revoked = True
    world.now += 1
    second = await world.later()
    world.server.deliver()
    assert (await first).gpt_id == "demo"
    await asyncio.sleep(0)
    world.server.execute()
    world.server.deliver()
    with pytest.raises(Unauthorised, match="revoked"):
        await second


async def test_a_flood_of_strangers_does_not_keep_a_known_key_waiting(world: World) -> None:
    """Its row is read anew beside theirs, of which a few are read at once."""
    await world.ask()
    world.now += 1
    world.server.held = True
    strangers = [await world.later(mint("test")) for _ in range(20)]
    asked = world.server.asked
    known = await world.later()
    assert (asked, world.server.asked) == (5, 6)
    for call in strangers:
        call.cancel()
    while not known.done():
        world.server.execute()
        world.server.deliver()
        await asyncio.sleep(0)
    assert (await known).gpt_id == "demo"
    await world.answer()


async def test_a_flood_of_strangers_does_not_keep_an_unseen_key_waiting(world: World) -> None:
    """Addresses take turns, so that whoever calls from another one waits for few reads."""
    world.server.held = True
    strangers = [await world.later(mint("test")) for _ in range(MOST_WAITING)]
    honest = await world.later(address="198.51.100.1")
    for _ in range(AT_ONCE):
        await world.answer(1)
    assert world.server.asked == 2 * AT_ONCE
    await world.answer(AT_ONCE)
    assert (await honest).gpt_id == "demo"
    await world.answer()
    ended = await asyncio.gather(*strangers, return_exceptions=True)
    assert {type(one) for one in ended} == {Unauthorised}


async def test_no_more_than_a_bounded_number_of_keys_wait_for_their_read(world: World) -> None:
    """The others are 503 at once; those of the address that has the most give way to a new one."""
    world.server.held = True
    strangers = [await world.later(mint("test")) for _ in range(MOST_WAITING + AT_ONCE)]
    crowded = await world.later(mint("test"))
    with pytest.raises(Unavailable, match="too many keys") as refused:
        await crowded
    assert refused.value.headers == {"Retry-After": "1"}
    assert not any(one.done() for one in strangers)
    honest = await world.later(address="198.51.100.1")
    with pytest.raises(Unavailable, match="too many keys"):
        await strangers.pop()
    await world.answer()
    assert (await honest).gpt_id == "demo"
    await asyncio.gather(*strangers, return_exceptions=True)
    assert world.server.asked == MOST_WAITING + AT_ONCE


async def test_an_address_that_has_called_too_often_has_one_read_at_a_time(world: World) -> None:
    """What it sends is looked up all the same: others may call from there with keys of theirs."""
    world.server.held = True
    world.spent.add("192.0.2.1")
    strangers = [await world.later(mint("test")) for _ in range(10)]
    valid = await world.later()
    assert len(world.server.reads) == 1
    other = await world.later(mint("test"), "198.51.100.1")
    assert len(world.server.reads) == 2
    for _ in range(11):
        assert sum(one.key_id != world.key.key_id for one in world.server.reads) <= 2
        await world.answer(1)
    await world.answer()
    assert (await valid).gpt_id == "demo"
    ended = await asyncio.gather(*strangers, other, return_exceptions=True)
    assert {type(one) for one in ended} == {Unauthorised}


async def test_a_key_that_opened_something_here_does_not_wait_behind_strangers(
    world: World,
) -> None:
    """News made the gateway forget it; whoever holds a stream open with it is looked up at once."""
    world.server.held = True
    strangers = [await world.later(mint("test")) for _ in range(20)]
    world.server.held = False
    assert (await world.keys.read(str(world.key), None)).gpt_id == "demo"
    world.server.held = True
    await world.answer()
    await asyncio.gather(*strangers, return_exceptions=True)


async def test_whoever_goes_away_leaves_the_read_to_the_others(world: World) -> None:
    """A call that is cancelled does not take its neighbours with it."""
    world.server.held = True
    first, second = await world.later(), await world.later()
    first.cancel()
    await asyncio.sleep(0)
    world.server.execute()
    world.server.deliver()
    assert (await second).gpt_id == "demo"


async def test_news_end_a_key_at_once(world: World) -> None:
    """The next call reads, and is refused."""
    await world.ask()
    world.row.revoked = True
    world.memory.forget("demo", (world.key.key_id,))
    with pytest.raises(Unauthorised, match="revoked"):
        await world.ask()


async def test_the_label_of_a_key_changes_nothing(world: World) -> None:
    """With another environment it is the same key, counted and ended as one."""
    other = replace(world.key, env="moved")
    assert await world.ask(other) == await world.ask()
    world.row.revoked = True
    world.memory.forget("demo", (world.key.key_id,))
    for key in (other, world.key):
        with pytest.raises(Unauthorised, match="revoked"):
            await world.ask(key)


async def test_news_of_a_tenant_end_all_its_keys(world: World) -> None:
    """Where no key is named all of that tenant's are forgotten, and no others."""
    other = mint("test")
    world.server.enter(other, PEPPER, gpt_id="other")
    await world.ask()
    await world.ask(other)
    world.row.disabled = True
    world.memory.forget("demo", ())
    await world.ask(other)
    with pytest.raises(GptDisabled):
        await world.ask()
    assert world.server.asked == 3


@pytest.mark.parametrize("named", [True, False])
async def test_news_outdate_what_is_being_read(world: World, *, named: bool) -> None:
    """A read that began before the news came does not count; the row is read again."""
    world.server.held = True
    call = await world.later()
    world.server.execute()
    world.row.revoked = True
    world.memory.forget("demo", (world.key.key_id,) if named else ())
    world.server.deliver()
    await asyncio.sleep(0)
    world.server.execute()
    world.server.deliver()
    with pytest.raises(Unauthorised, match="revoked"):
        await call


async def test_what_was_known_before_a_gap_is_read_anew(world: World) -> None:
    """News may have gone by while nothing was read."""
    world.wait(0)
    await world.ask()
    world.memory.lose()
    world.row.revoked = True
    world.now += 1
    world.memory.doubt(world.now)
    world.wait(1)
    with pytest.raises(Unauthorised, match="revoked"):
        await world.ask()


async def test_a_known_key_outlives_an_outage_of_bounded_length(
    world: World, nowhere: GatewaySettings
) -> None:
    """It serves until `key_outage` after its last read; one that is not known is 503."""
    await world.ask()
    world.server.away = True
    outage_s = nowhere.key_outage.total_seconds()
    for _ in range(10):
        world.now += outage_s / 10 - 0.01
        assert (await world.ask()).gpt_id == "demo"
    with pytest.raises(Unavailable):
        await world.ask(mint("test"))
    world.now += 1
    with pytest.raises(Unavailable):
        await world.ask()


async def test_an_outage_does_not_bring_back_what_news_have_ended(world: World) -> None:
    """A key whose change was seen cannot be checked, so it is 503."""
    await world.ask()
    world.memory.forget("demo", (world.key.key_id,))
    world.server.away = True
    with pytest.raises(Unavailable):
        await world.ask()


async def test_in_an_outage_nobody_waits_for_a_second_failure(world: World) -> None:
    """A failed read stands for all of the next second."""
    await world.ask()
    world.server.away = True
    world.now += 100
    for _ in range(20):
        await world.ask()
    assert world.server.asked == 2
    world.now += 1.1
    world.server.away = False
    await world.ask()
    assert world.server.asked == 3


@pytest.mark.parametrize(
    ("change", "error", "word"),
    [
        ({"revoked": True}, Unauthorised, "revoked"),
        ({"deleted": True, "disabled": True}, Unauthorised, "deleted"),
        ({"disabled": True}, GptDisabled, "disabled"),
        ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, Unauthorised, "expired"),
    ],
)
async def test_a_key_that_opens_nothing_says_why(
    world: World, change: dict[str, Any], error: type[GatewayError], word: str
) -> None:
    """Whoever has the secret is told; it is counted."""
    for name, value in change.items():
        setattr(world.row, name, value)
    with pytest.raises(error, match=word):
        await world.ask()
    counted = f'actionstream_keys_refused_total{{reason="{word}"}} 1.0'
    assert counted in generate_latest(world.metrics.registry).decode()


async def test_a_key_expires_while_it_is_remembered(world: World) -> None:
    """The time is looked at on every call, not only when the row is read."""
    known = Known(Principal("demo", None, "k", frozenset(), None), 0.0, expires_at=4e9)
    assert known.refusal() is None
    assert replace(known, expires_at=1.0).refusal() is not None


def _wrong(key: Key) -> Key:
    return replace(key, secret=mint("test").secret)


def _unknown(_: Key) -> Key:
    return mint("test")


@pytest.mark.parametrize("made", [_wrong, _unknown])
async def test_unknown_and_wrong_keys_take_the_same_way(
    world: World, monkeypatch: pytest.MonkeyPatch, made: Callable[[Key], Key]
) -> None:
    """One read and one comparison each, whether or not the right key is known already."""
    hashed: list[str] = []
    original = Key.is_hashed_as

    def counting(self: Key, kept: bytes, *peppers: str) -> bool:
        hashed.append(self.key_id)
        return original(self, kept, *peppers)

    await world.ask()
    world.wait(1)
    monkeypatch.setattr(Key, "is_hashed_as", counting)
    sent = made(world.key)
    for _ in range(5):
        with pytest.raises(Unauthorised, match="check it, or ask for a new one"):
            await world.ask(sent)
    assert (world.server.asked, hashed) == (2, [sent.key_id])
    world.now += REFUSED_S + 1
    with pytest.raises(Unauthorised):
        await world.ask(sent)
    assert world.server.asked == 3


async def test_a_new_key_opens_as_soon_as_news_of_it_come(world: World) -> None:
    """A refusal from before it was stored does not last."""
    late = mint("test")
    with pytest.raises(Unauthorised):
        await world.ask(late)
    world.server.enter(late, PEPPER)
    world.memory.forget("demo", (late.key_id,))
    assert (await world.ask(late)).key_id == late.key_id


@pytest.mark.parametrize("text", ["", "x", "as_live_a_b_c", "k" * 5000, "as_é" * 20])
async def test_what_is_no_key_asks_nobody(world: World, text: str) -> None:
    """A mistyped key is refused by its form alone."""
    with pytest.raises(Unauthorised, match="not valid"):
        await world.ask(text)
    assert world.server.asked == 0


@pytest.mark.parametrize("part", ["key_id", "secret", "checksum"])
async def test_a_mistyped_key_asks_nobody(world: World, part: str) -> None:
    """It has the right form, and its checksum says that a letter is wrong, wherever that is."""
    text = str(world.key)
    place = {"key_id": 12, "secret": 40, "checksum": -1}[part]
    wrong = "x" if text[place] != "x" else "y"
    mistyped = text[:place] + wrong + text[place:][1:]
    assert len(mistyped) == len(text)
    with pytest.raises(Unauthorised, match="checksum"):
        await world.ask(mistyped)
    assert world.server.asked == 0
    counted = 'actionstream_keys_refused_total{reason="malformed"} 1.0'
    assert counted in generate_latest(world.metrics.registry).decode()


async def test_the_pepper_before_still_opens(nowhere: GatewaySettings) -> None:
    """Keys made under it are valid while it is set, and no longer."""
    new = "another pepper of thirty-two characters"
    settings = {**NOWHERE, "key_pepper": new, "previous_key_pepper": PEPPER}
    both = World(GatewaySettings.model_validate(settings))
    assert (await both.ask()).gpt_id == "demo"
    only = World(nowhere.model_copy(update={"key_pepper": type(nowhere.key_pepper)(new)}))
    with pytest.raises(Unauthorised):
        await only.ask()


def test_memory_is_bounded() -> None:
    """Neither keys nor refusals grow without end; what is unused longest goes first."""
    memory = Memory(60, most=3)
    for number in range(10):
        principal = Principal("demo", None, f"k{number}", frozenset(), None)
        memory.keep(b"%d" % number, Known(principal, 0.0))
        memory.refuse(b"r%d" % number, "unknown", 0.0)
        assert memory.find(b"0") is not None
    assert [number for number in range(10) if memory.find(b"%d" % number)] == [0, 8, 9]
    assert [number for number in range(10) if memory.refused(b"r%d" % number, 1.0)] == [7, 8, 9]


@pytest.mark.parametrize(
    ("scopes", "action", "collection", "allowed"),
    [
        ({"read"}, "read", None, True),
        ({"read"}, "read", "diary", True),
        ({"read"}, "write", "diary", False),
        ({"read:diary"}, "read", "diary", True),
        ({"read:diary"}, "read", "other", False),
        ({"read:diary"}, "read", None, False),
        ({"read:diary"}, "write", "diary", False),
        ({"admin"}, "read", None, False),
        ({"read", "write"}, "admin", None, False),
        (set(), "read", None, False),
    ],
)
def test_scopes(*, scopes: set[str], action: Any, collection: str | None, allowed: bool) -> None:
    """A scope covers a whole tenant or one collection, and never another action."""
    principal = Principal("demo", None, "k", frozenset(scopes), None)
    assert principal.may(action, collection) is allowed
    named = any(scope.partition(":")[0] == action for scope in scopes)
    assert principal.may_somewhere(action) is named

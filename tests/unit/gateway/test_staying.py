"""Streams whose key is not valid any more end at once where news come, and soon where none do."""

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.direct import Direct
from gateway.events import staying
from gateway.events.staying import Staying
from gateway.events.stream import Stream
from gateway.keys.keys import Keys
from gateway.keys.memory import Memory
from gateway.keys.turns import Turns
from gateway.metrics import Metrics
from gateway.settings import GatewaySettings
from schemas.keys import Key, mint
from tests.fakes.keys import FakeDirect
from tests.unit.gateway.conftest import NOWHERE


class World:
    """Open streams of some keys, before a table in memory; no second passes by itself."""

    def __init__(self, settings: GatewaySettings) -> None:
        self.now = 1000.0
        self.server = FakeDirect(lambda: self.now)
        self.memory = Memory(settings.key_cache.total_seconds())
        direct, turns = cast("Direct", self.server), Turns(lambda _: False)
        keys = Keys(settings, direct, Metrics(), self.memory, turns, clock=lambda: self.now)
        self.keys = keys
        self.streams: list[Any] = []
        self.staying = Staying(keys, cast("list[Stream]", self.streams))

    async def open(self, gpt_id: str = "demo", key: Key | None = None) -> Any:
        """Returns: what stands for a stream, of a new key if none is given."""
        if key is None:
            key = mint("test")
            self.server.enter(key, NOWHERE["key_pepper"], gpt_id=gpt_id)
        caller = await self.keys.read(str(key), "192.0.2.1")
        made = SimpleNamespace(caller=caller, token=str(key), key=key, closing=None)
        made.close = lambda closing: setattr(made, "closing", made.closing or closing)
        self.streams.append(made)
        return made

    async def closed(self) -> list[str | None]:
        """Returns: why each stream has ended, once nothing is left to be done."""
        for _ in range(50):
            await asyncio.sleep(0)
        return [one.closing and one.closing.reason for one in self.streams]


@pytest.fixture
async def world(nowhere: GatewaySettings) -> AsyncIterator[World]:
    """No streams yet, and keys that are remembered for a minute."""
    made = World(nowhere)
    yield made
    await made.staying.close()


@pytest.mark.parametrize("named", [True, False])
async def test_news_end_the_streams_of_a_key_at_once(world: World, *, named: bool) -> None:
    """All of them, with one read, and no others, nor those of whom the news say nothing new."""
    revoked = await world.open()
    await world.open(key=revoked.key)
    await world.open()
    await world.open("other")
    world.server.rows[revoked.key.key_id].revoked = True
    asked = world.server.asked
    world.memory.forget("demo", (revoked.key.key_id,) if named else ())
    assert await world.closed() == ["unauthorised", "unauthorised", None, None]
    assert world.server.asked == asked + (1 if named else 2)
    assert revoked.closing.again is False


async def test_what_has_changed_and_cannot_be_read_ends_too(world: World) -> None:
    """Whoever had it may come back as soon as it can be known; others stay through the outage."""
    await world.open()
    changed = await world.open()
    world.server.away = True
    world.memory.forget("demo", (changed.key.key_id,))
    assert await world.closed() == [None, "unavailable"]
    assert changed.closing.again is True


async def test_without_news_keys_are_looked_at_each_second(
    nowhere: GatewaySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few at once; one of which nothing can be known holds up none, and its stream stays."""
    monkeypatch.setattr(staying, "CHECK_S", 0)
    world = World(nowhere)
    for _ in range(5):
        await world.open()
    world.server.rows[world.streams[4].key.key_id].disabled = True
    world.server.held = True
    world.now += 1
    await world.closed()
    assert len(world.server.reads) == 2
    world.server.fail()
    # A failed read stands for those of the next second.
    assert await world.closed() == [None] * 5
    world.now += 1.5
    world.server.held = False
    while world.server.reads:
        world.server.execute()
        world.server.deliver()
    assert await world.closed() == [None] * 4 + ["gpt_disabled"]
    await world.staying.close()

"""Gateways are killed and drained while clients follow: a reconnect, and not one event less."""

import asyncio
import itertools
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException
from websockets.typing import Subprotocol

from gateway.settings import GatewaySettings
from schemas.keys import Key
from streams.settings import Settings
from tests.integration.gateway.conftest import Rows
from tests.integration.gateway.telling import teller
from tests.integration.gateway.test_gateway_restarts import Instance

EVENTS = 1500
FOLLOWERS = 12


@pytest.fixture
def two(gateway_settings: GatewaySettings, tmp_path: Path) -> Iterator[list[Instance]]:
    """Two gateways that are ready."""
    with (tmp_path / "gateways.log").open("wb") as log:
        made = [Instance(gateway_settings, log) for _ in range(2)]
        try:
            for one in made:
                one.start()
            yield made
        finally:
            for one in made:
                if one.process is not None and one.process.poll() is None:
                    one.process.kill()
                    one.process.wait()


async def follow(ports: list[int], key: Key, first: int, got: list[int]) -> int:
    """Follow by server-sent events, at whichever gateway answers. Returns: how often it came."""
    place, visits = "0", 0
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx2.AsyncClient(timeout=30, trust_env=False) as client:
        for port in itertools.islice(itertools.cycle(ports), first, None):
            url, params = f"http://127.0.0.1:{port}/v1/events/stream", {"since": "0"}
            given = headers if place == "0" else headers | {"Last-Event-ID": place}
            try:
                async with client.sse(url, params=params, headers=given) as source:
                    visits += 1
                    async for one in source:
                        place = one.id or place
                        if one.data and one.event != "closed":
                            got.append(json.loads(one.data)["sequence"])
                        if len(got) >= EVENTS:
                            return visits
            except httpx2.TransportError:
                await asyncio.sleep(0.1)
    raise AssertionError


async def follow_socket(ports: list[int], key: Key, first: int, got: list[int]) -> int:
    """Follow by WebSocket, acknowledging each. Returns: how often it came."""
    place, visits = "0", 0
    offered = [Subprotocol("actionstream.v1"), Subprotocol(f"bearer.{key}")]
    for port in itertools.islice(itertools.cycle(ports), first, None):
        try:
            url = f"ws://127.0.0.1:{port}/v1/ws"
            async with connect(url, subprotocols=offered, proxy=None) as socket:
                visits += 1
                await socket.send(json.dumps({"type": "subscribe", "since": place}))
                async for text in socket:
                    message = json.loads(text)
                    if message["type"] == "event":
                        got.append(message["event"]["sequence"])
                        place = message["cursor"]
                        await socket.send(json.dumps({"type": "ack", "cursor": place}))
                    if len(got) >= EVENTS:
                        return visits
        except (OSError, WebSocketException):
            await asyncio.sleep(0.1)
    raise AssertionError


async def test_a_gateways_end_costs_a_reconnect_and_no_event(
    two: list[Instance], settings: Settings, rows: Rows
) -> None:
    """SIGKILL and SIGTERM, one gateway after the other, while events are told all the time."""
    told = teller(settings, rows.engine)
    key, ports = rows.key(told.gpt_id), [one.port for one in two]
    got: list[list[int]] = [[] for _ in range(FOLLOWERS)]
    tasks = [
        asyncio.create_task((follow_socket if number % 3 == 2 else follow)(ports, key, number, one))
        for number, one in enumerate(got)
    ]

    async def tell() -> None:
        for _ in range(EVENTS // 3):
            await asyncio.to_thread(told.tell, *["document.parsed"] * 3)
            await asyncio.sleep(0.01)

    async def end(number: int, how: signal.Signals, before: int) -> None:
        while min(map(len, got)) < before:  # noqa: ASYNC110 - other tasks fill the lists
            await asyncio.sleep(0.02)
        process = two[number].process
        assert process is not None
        process.send_signal(how)
        await asyncio.to_thread(process.wait)
        await asyncio.to_thread(two[number].start)

    async def trouble() -> None:
        await end(0, signal.SIGKILL, 50)
        await end(1, signal.SIGKILL, 300)
        await end(0, signal.SIGTERM, 600)

    await asyncio.gather(tell(), trouble())
    visits = await asyncio.gather(*tasks)
    for numbers in got:
        assert numbers == list(range(1, EVENTS + 1))
    assert max(visits) > 1

"""Calls of the models while they fail: what opens the breaker, what a record is charged with."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
import pytest
from ollama import AsyncClient
from prometheus_client import REGISTRY

from streams.clients.calls import Caps
from streams.clients.ollama import Models
from streams.errors import DependencyDown, RecordTrouble, Unavailable

SCHEMA = {"type": "object", "properties": {"total": {"type": "string"}}}
NOW = timedelta(microseconds=1)
NEVER = timedelta(hours=1)


def fine(content: str = "{}") -> httpx.Response:
    return httpx.Response(
        200,
        json={
            "model": "chatty",
            "created_at": "2026-01-01T00:00:00Z",
            "message": {"role": "assistant", "content": content},
            "done": True,
            "done_reason": "stop",
        },
    )


def broken(_: str) -> httpx.Response:
    return httpx.Response(500, json={"error": "boom"})


def missing(_: str) -> httpx.Response:
    return httpx.Response(404, json={"error": "model not found"})


def busy(_: str) -> httpx.Response:
    return httpx.Response(503, json={"error": "server busy"})


def gone(_: str) -> httpx.Response:
    raise httpx.ConnectError("refused")


def reset(_: str) -> httpx.Response:
    raise httpx.ReadError("reset by peer")


def late(_: str) -> httpx.Response:
    raise httpx.ReadTimeout("too late")


def strange(_: str) -> httpx.Response:
    return httpx.Response(200, text="<html>a proxy's page</html>")


@dataclass
class Server:
    """A model server: `reply` answers records by their text, `probe` answers probes."""

    reply: Callable[[str], httpx.Response] = lambda _: fine()
    probe: Callable[[str], httpx.Response] | None = None
    texts: list[str] = field(default_factory=list)
    probes: int = 0
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        text = json.loads(request.content)["messages"][-1]["content"]
        if "say yes" in text:
            self.probes += 1
            return (self.probe or self.reply)(text)
        self.texts.append(text)
        self.reached.set()
        if text == "waits":
            await self.go_on.wait()
        return self.reply(text)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def models(server: Server) -> Callable[..., Models]:
    """Makes a client of the server; its breaker probes at once unless it is told otherwise."""

    def make(**caps: Any) -> Models:
        client = AsyncClient(host="http://models.test", transport=httpx.MockTransport(server))
        given = {"threshold": 3, "pause": NOW, **caps}
        return Models(
            client,
            chat_model="chatty",
            embedding_model="minilm",
            caps=Caps(**given),
            context_tokens=8192,
        )

    return make


async def ask(models: Models, record: str, text: str = "u") -> type[Unavailable] | None:
    """Ask once for a record. Returns: the kind of its failure."""
    try:
        await models.answer(system="s", user=text, schema=SCHEMA, record=record)
    except Unavailable as error:
        return DependencyDown if isinstance(error, DependencyDown) else RecordTrouble
    return None


def state(models: Models) -> str | None:
    return models.states()["chatty"]["state"]


@pytest.mark.parametrize("outage", [broken, reset, late, strange])
async def test_an_outage_of_any_look_costs_no_attempt(
    models: Any, server: Server, outage: Callable[[str], httpx.Response]
) -> None:
    """When a tiny call fails too, the model is down; what follows is not even tried."""
    server.reply = outage
    client = models(pause=NEVER)

    kinds = [await ask(client, record) for record in "abcdefgh"]

    assert kinds == [DependencyDown] * 8
    assert len(server.texts) == 1
    assert state(client) == "open"


@pytest.mark.parametrize("trouble", [broken, reset, late, strange])
async def test_one_record_s_trouble_opens_nothing(
    models: Any, server: Server, trouble: Callable[[str], httpx.Response]
) -> None:
    """When a tiny call is answered, the record is charged, however often it comes."""
    server.reply, server.probe = trouble, lambda _: fine()
    client = models()

    kinds = [await ask(client, "bad") for _ in range(10)]

    assert kinds == [RecordTrouble] * 10
    assert state(client) == "closed"


async def test_many_records_in_a_row_outweigh_the_probe(models: Any, server: Server) -> None:
    """What is too small to fail does not hide that every record does."""
    server.reply, server.probe = broken, lambda _: fine()
    client = models(pause=NEVER)

    kinds = [await ask(client, record) for record in "abcd"]

    assert kinds == [RecordTrouble, RecordTrouble, DependencyDown, DependencyDown]


async def test_a_record_that_takes_the_model_down_is_charged_in_the_end(
    models: Any, server: Server
) -> None:
    """The model fails with it and recovers each time: it comes back only so often uncharged."""
    client = models()
    kinds = []
    for _ in range(4):
        server.reply = server.probe = reset
        kinds.append(await ask(client, "killer"))
        server.reply = server.probe = lambda _: fine()
        assert await ask(client, "neighbour") is None

    assert kinds == [DependencyDown] * 3 + [RecordTrouble]


@pytest.mark.parametrize(
    ("reply", "reason"), [(missing, "ollama pull chatty"), (gone, "does not answer")]
)
async def test_what_is_plainly_away_opens_at_once(
    models: Any, server: Server, reply: Callable[[str], httpx.Response], reason: str
) -> None:
    """A missing model and a refused connection need no second failure, and are told."""
    server.reply = reply
    client = models(pause=NEVER)

    assert await ask(client, "a") is DependencyDown
    assert state(client) == "open"
    assert reason in (client.states()["chatty"]["reason"] or "")
    assert client.states()["minilm"] == {"state": "closed", "reason": None}


async def test_a_busy_server_opens_it_after_a_row(models: Any, server: Server) -> None:
    """Busy costs no attempt; busy again and again is an outage."""
    server.reply = busy
    client = models(pause=NEVER)

    assert await ask(client, "a") is DependencyDown
    assert state(client) == "closed"
    assert [await ask(client, "a") for _ in range(4)] == [DependencyDown] * 4
    assert len(server.texts) == 3


async def test_work_goes_on_by_itself(models: Any, server: Server) -> None:
    """A model that was missing is found by the probe, and the call after it passes."""
    server.reply = missing
    client = models()
    assert await ask(client, "a") is DependencyDown
    assert await ask(client, "a") is DependencyDown
    assert server.probes == 1

    server.reply = lambda _: fine()

    assert await ask(client, "a") is None
    assert (state(client), len(server.texts)) == ("closed", 2)


async def test_one_probes_while_the_others_fail_at_once(models: Any, server: Server) -> None:
    """While a probe is under way nobody else reaches the model."""
    client = models(probe=NEVER)
    server.reply = gone
    assert await ask(client, "a") is DependencyDown

    probing, answered = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        probing.set()
        await answered.wait()

    client._calls["chatty"]._probe = hold
    server.reply = lambda _: fine()
    prober = asyncio.create_task(ask(client, "b"))
    await probing.wait()
    others = [await ask(client, record) for record in "cde"]
    assert (state(client), others) == ("half-open", [DependencyDown] * 3)

    answered.set()
    assert await prober is None


async def test_a_worker_that_leaves_in_its_probe_leaves_it_to_the_next(
    models: Any, server: Server
) -> None:
    """A cancelled probe decides nothing and blocks nobody."""
    client = models(probe=NEVER)
    server.reply = gone
    assert await ask(client, "a") is DependencyDown
    probing, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        probing.set()
        await never.wait()

    probe, client._calls["chatty"]._probe = client._calls["chatty"]._probe, hang
    leaving = asyncio.create_task(ask(client, "b"))
    await probing.wait()
    leaving.cancel()
    await asyncio.wait({leaving})

    server.reply, client._calls["chatty"]._probe = lambda _: fine(), probe
    assert await ask(client, "c") is None


async def test_answers_that_are_no_use_say_nothing_about_the_model(
    models: Any, server: Server
) -> None:
    """Bad JSON in a well-formed answer is the record's trouble, of however many records."""
    server.reply = lambda _: fine("I think that the total is 12.")
    client = models()

    assert [await ask(client, record) for record in "abcdef"] == [RecordTrouble] * 6
    assert (state(client), server.probes) == ("closed", 0)


async def test_a_hard_limit_ends_a_call_that_hangs(models: Any, server: Server) -> None:
    """The limit holds although the server never closes, and the trouble is the record's."""
    client = models(timeout=timedelta(milliseconds=5))

    assert await ask(client, "a", "waits") is RecordTrouble
    assert state(client) == "closed"


async def test_calls_in_flight_are_capped_and_counted(models: Any, server: Server) -> None:
    """With one slot the second call waits for the first, and both are seen."""

    def value(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, {"model": "chatty", **labels}) or 0.0

    answered = value("actionstream_model_calls_total", outcome="answered")
    client = models(slots=1)
    first = asyncio.create_task(ask(client, "a", "waits"))
    second = asyncio.create_task(ask(client, "b"))
    await server.reached.wait()
    assert value("actionstream_model_calls_waiting") == 1
    assert value("actionstream_model_calls_in_flight") == 1

    server.go_on.set()
    await asyncio.gather(first, second)

    assert server.texts == ["waits", "u"]
    assert value("actionstream_model_calls_total", outcome="answered") == answered + 2
    assert value("actionstream_model_calls_in_flight") == 0
    assert value("actionstream_model_breaker") == 0

"""What measures and tests of webhooks share: endpoints, events, a receiver in its own thread."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import orjson
from confluent_kafka import Producer
from sqlalchemy import insert
from sqlalchemy.dialects.postgresql import insert as upsert

from schemas import topics, webhook_secrets
from schemas.envelope import Envelope
from schemas.events import EventType
from schemas.ids import REQUEST, WEBHOOK, Ids
from schemas.tables import GPTS, WEBHOOKS
from schemas.webhook_secrets import Seal
from streams import events
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.stage import Event, StepKey, Work

_OK: Final = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
_HEAD_END: Final = b"\r\n\r\n"
LOOPBACK: Final = '["127.0.0.1/32"]'
"""The networks that the setting must allow for such receivers."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A delivery as it came: where, its id, which event, when (seconds since 1970)."""

    path: str
    delivery_id: str
    gpt_id: str
    sequence: int
    at: float


@dataclass
class Receiver:
    """Answers 200 after `pause_s`, but under /dead it never answers."""

    port: int = 0
    pause_s: float = 0.0
    arrived: list[Arrival] = field(default_factory=list)

    def url(self, path: str) -> str:
        """Returns: the URL of an endpoint here."""
        return f"http://127.0.0.1:{self.port}/{path}"


class _Connection(asyncio.Protocol):
    def __init__(self, receiver: Receiver, open_: set[asyncio.Transport]) -> None:
        self._receiver = receiver
        self._open = open_
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what TCP gives
        self._transport = transport
        self._open.add(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._transport is not None:
            self._open.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while _HEAD_END in self._buffer:
            head, _, rest = self._buffer.partition(_HEAD_END)
            first, *lines = head.decode().split("\r\n")
            headers = {
                name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
            }
            size = int(headers["content-length"])
            if len(rest) < size:
                return
            self._buffer = rest[size:]
            self._take(first.split()[1].lstrip("/"), headers, rest[:size])

    def _take(self, path: str, headers: Mapping[str, str], body: bytes) -> None:
        event = orjson.loads(body)
        self._receiver.arrived.append(
            Arrival(path, headers["webhook-id"], event["gptid"], event["sequence"], time.time())
        )
        if not path.startswith("dead"):
            loop = asyncio.get_running_loop()
            loop.call_later(self._receiver.pause_s, self._answer)

    def _answer(self) -> None:
        if self._transport is not None:
            self._transport.write(_OK)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Yield a receiver that listens in a thread of its own."""
    receiver, ready, loop = Receiver(), threading.Event(), asyncio.new_event_loop()
    open_ = set[asyncio.Transport]()

    async def serve() -> asyncio.Server:
        server = await loop.create_server(lambda: _Connection(receiver, open_), "127.0.0.1", 0)
        receiver.port = server.sockets[0].getsockname()[1]
        ready.set()
        return server

    async def end(server: asyncio.Server) -> None:
        server.close()
        for transport in set(open_):
            transport.abort()
        await server.wait_closed()

    def run() -> None:
        server = loop.run_until_complete(serve())
        loop.run_forever()
        loop.run_until_complete(end(server))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    ready.wait()
    try:
        yield receiver
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


class Source:
    """Makes tenants, endpoints and events as the product's own stages do, without them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._ids = Ids(settings.id_secret.get_secret_value())
        self._seal = Seal.of(settings, settings.id_secret)
        self._producer = Producer({"bootstrap.servers": settings.kafka_bootstrap, "linger.ms": 1})
        self.database = Database.connect(settings.database_url.get_secret_value(), pool=2)

    async def endpoint(self, gpt_id: str, url: str) -> str:
        """Returns: the id of a new endpoint of all events of a tenant."""
        webhook_id = self._ids.mint(WEBHOOK, gpt_id)
        row = {"url": url, "events": ["*"], "state": "active"}
        sealed = self._seal.seal(webhook_id, webhook_secrets.mint())
        async with self.database.transaction() as connection:
            await connection.execute(
                upsert(GPTS).values(gpt_id=gpt_id, name=gpt_id).on_conflict_do_nothing()
            )
            await connection.execute(
                insert(WEBHOOKS).values(
                    webhook_id=webhook_id, gpt_id=gpt_id, secrets=[sealed], **row
                )
            )
            await events.watch(connection, [gpt_id])
        return webhook_id

    async def happen(self, gpt_ids: Sequence[str], each: int = 1) -> dict[tuple[str, int], float]:
        """Have so many events happen to each tenant; returns: when each was, by its number."""
        told = [(self._work(gpt_id), [Event(EventType.BATCH_CLOSED)] * each) for gpt_id in gpt_ids]
        async with self.database.transaction() as connection:
            made = await events.enter_all(connection, told)
        records = [record for group in made for record in group]
        for record in records:
            name = self._settings.topic_prefix + record.topic
            self._producer.produce(name, record.value, record.key, headers=[*record.headers])
        await asyncio.to_thread(self._producer.flush, 30)
        at = time.time()
        found = (orjson.loads(record.value) for record in records)
        return {(event["gptid"], event["sequence"]): at for event in found}

    def _work(self, gpt_id: str) -> Work:
        request_id = self._ids.mint(REQUEST, gpt_id)
        schema = topics.EVENTS.schema_name
        envelope = Envelope(request_id=request_id, gpt_id=gpt_id, schema_name=schema)
        return Work(StepKey(gpt_id, request_id, "bench", 0), envelope, "bench", None)


def await_true(question: Callable[[], bool], seconds: float) -> bool:
    """Returns: whether this came true within so many seconds."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True

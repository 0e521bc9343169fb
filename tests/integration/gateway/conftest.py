"""A gateway on a real port before real servers; the tests play the workers' part."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import uvicorn
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from sqlalchemy import Table, create_engine, delete, func, insert, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.engine import Engine

from gateway.app import create_app
from gateway.settings import GatewaySettings
from gateway.wire import SERVING
from schemas.ids import DOCUMENT, REQUEST, RUN, Ids
from schemas.keys import Key, mint, parse
from schemas.tables import API_KEYS, DOCUMENTS, GPTS, REQUESTS
from schemas.tables.edge import EDGE
from streams.settings import Settings


@pytest.fixture(scope="session")
def gateway_settings(settings: Settings) -> GatewaySettings:
    """The gateway's settings on the session's own database, topics, bucket and index."""
    shared = set(GatewaySettings.model_fields) & set(Settings.model_fields)
    given = {name: getattr(settings, name) for name in shared}
    return GatewaySettings.model_validate(
        {
            **GatewaySettings().model_dump(),
            **given,
            "max_upload_bytes": 12 * 1024**2,
            "max_wait_s": 5,
            # The tests of limits set them; all others may call as often as they like.
            "rate_limits": "none",
        }
    )


Serve = Callable[[GatewaySettings], contextlib.AbstractAsyncContextManager[str]]


@contextlib.asynccontextmanager
async def serving(settings: GatewaySettings) -> AsyncIterator[str]:
    """Serve a gateway on a free port of the loopback; yields its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(
            create_app(settings),
            **SERVING,
            log_config=None,
            access_log=False,
            forwarded_allow_ips=settings.forwarded_allow_ips,
            timeout_graceful_shutdown=1,
        )
        server = uvicorn.Server(config)
        with contextlib.ExitStack() as unsignalled:
            # The test runner keeps its own signal handlers.
            server.capture_signals = lambda: unsignalled  # type: ignore[method-assign]
            task = asyncio.create_task(server.serve(sockets=[listener]))
            await _until(lambda: server.started or task.done())
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            server.should_exit = True
            await task


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(1500):
        if true():
            return
        await asyncio.sleep(0.02)
    pytest.fail("the gateway did not start within 30 s")


@pytest.fixture(scope="session")
def serve() -> Serve:
    """Returns: what serves another gateway, with other settings."""
    return serving


@pytest.fixture(scope="session")
async def url(gateway_settings: GatewaySettings) -> AsyncIterator[str]:
    """The URL of the session's gateway, once it reads all results."""
    async with serving(gateway_settings) as address, httpx2.AsyncClient() as client:
        for _ in range(100):
            if (await client.get(f"{address}/ready")).status_code == 200:
                break
            await asyncio.sleep(0.1)
        yield address


@pytest.fixture(scope="session")
def headers(settings: Settings) -> dict[str, str]:
    """The header that authorises."""
    assert settings.api_key is not None
    return {"Authorization": f"Bearer {settings.api_key.get_secret_value()}"}


@pytest.fixture(scope="session")
def caller(settings: Settings) -> str:
    """How records name whoever calls with the tenant's key."""
    assert settings.api_key is not None
    return f"key:{parse(settings.api_key.get_secret_value()).key_id}"


Bearer = Callable[..., dict[str, str]]


@pytest.fixture(scope="session")
def bearer(settings: Settings, rows: "Rows") -> Bearer:
    """Returns: what enters a key, of a tenant of any name, and returns its header."""

    def entered(gpt_id: str = settings.gpt_id, **values: Any) -> dict[str, str]:
        key = rows.key(gpt_id=gpt_id, **values)
        return {"Authorization": f"Bearer {key}"}

    return entered


@pytest.fixture(scope="session")
async def api(url: str, headers: dict[str, str]) -> AsyncIterator[httpx2.AsyncClient]:
    """A client with the tenant's key."""
    async with httpx2.AsyncClient(
        base_url=url, headers=headers, timeout=60, trust_env=False
    ) as client:
        yield client


@pytest.fixture
def edge(settings: Settings) -> Iterator[Engine]:
    """The gateway's own tables as their owner sees them, empty before and after."""
    assert settings.admin_database_url is not None
    engine = create_engine(settings.admin_database_url.get_secret_value())

    def clear() -> None:
        with engine.begin() as connection:
            for table in EDGE.sorted_tables:
                connection.execute(delete(table))

    clear()
    yield engine
    clear()
    engine.dispose()


@dataclass
class Rows:
    """Writes rows as the workers would."""

    engine: Engine
    ids: Ids
    gpt_id: str
    pepper: str

    def add(self, table: Table, **values: Any) -> None:
        with self.engine.begin() as connection:
            connection.execute(insert(table).values(gpt_id=self.gpt_id, **values))

    def change(self, document_id: str, **values: Any) -> None:
        statement = update(DOCUMENTS).where(DOCUMENTS.c.document_id == document_id)
        with self.engine.begin() as connection:
            connection.execute(statement.values(**values))

    def document(self, **values: Any) -> str:
        document_id = values.pop("document_id", None) or self.ids.mint(DOCUMENT, self.gpt_id)
        self.add(DOCUMENTS, **{"document_id": document_id, "status": "completed", **values})
        return str(document_id)

    def settle(self, request_id: str, **values: Any) -> None:
        row = {"kind": "ping", "status": "completed", "result": {}, **values}
        statement = upsert(REQUESTS).values(
            request_id=request_id, gpt_id=self.gpt_id, completed_at=func.now(), **row
        )
        with self.engine.begin() as connection:
            connection.execute(statement.on_conflict_do_nothing())

    def key(self, gpt_id: str, **values: Any) -> Key:
        key = mint("test")
        row = {"name": "test", "scopes": ["read", "write"], **values}
        entry = insert(API_KEYS).values(
            key_id=key.key_id, gpt_id=gpt_id, hash=key.hashed(self.pepper), **row
        )
        tenant = upsert(GPTS).values(gpt_id=gpt_id, name=gpt_id).on_conflict_do_nothing()
        with self.engine.begin() as connection:
            connection.execute(tenant)
            connection.execute(entry)
        return key

    def request_id(self) -> str:
        return self.ids.mint(REQUEST, self.gpt_id)

    def run_id(self) -> str:
        return self.ids.mint(RUN, self.gpt_id)


@pytest.fixture(scope="session")
def rows(settings: Settings) -> Iterator[Rows]:
    """Writes rows as the workers would."""
    engine = create_engine(settings.database_url.get_secret_value())
    assert settings.key_pepper is not None
    pepper = settings.key_pepper.get_secret_value()
    yield Rows(engine, Ids(settings.id_secret.get_secret_value()), settings.gpt_id, pepper)
    engine.dispose()


@dataclass
class Records:
    """Reads what the gateway published, and publishes results, as the workers would."""

    bootstrap: str
    prefix: str
    producer: Producer

    def of(self, topic: str, key: str) -> list[Message]:
        """Returns: the records of a topic with this key."""
        consumer = Consumer({"bootstrap.servers": self.bootstrap, "group.id": "unused"})
        name = self.prefix + topic
        found = []
        for number in consumer.list_topics(name, timeout=10).topics[name].partitions:
            place = TopicPartition(name, number, 0)
            _, end = consumer.get_watermark_offsets(place, timeout=10)
            consumer.assign([place])
            for _ in range(end):
                message = consumer.poll(10)
                assert message is not None
                assert message.error() is None
                if message.key() == key.encode():
                    found.append(message)
        consumer.close()
        return found

    def wake(self, request_id: str) -> None:
        """Publish a result's record; the row is what counts."""
        self.producer.produce(self.prefix + "results", b"{}", request_id.encode())
        self.producer.flush(10)


@pytest.fixture(scope="session")
def records(settings: Settings) -> Records:
    """Reads requests and publishes results as the workers would."""
    bootstrap = settings.kafka_bootstrap
    return Records(bootstrap, settings.topic_prefix, Producer({"bootstrap.servers": bootstrap}))


Answer = Callable[[Message, str], None]


@pytest.fixture
def answering(settings: Settings) -> Iterator[Callable[[str, Answer], None]]:
    """Returns: what starts a worker on a topic; it hands each record on with its request's id."""
    stopping = threading.Event()
    threads = []

    def work(topic: str, answer: Answer) -> None:
        consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "unused"})
        name = settings.topic_prefix + topic
        places = []
        for number in consumer.list_topics(name, timeout=10).topics[name].partitions:
            _, end = consumer.get_watermark_offsets(TopicPartition(name, number), timeout=10)
            places.append(TopicPartition(name, number, end))
        consumer.assign(places)

        def loop() -> None:
            while not stopping.is_set():
                message = consumer.poll(0.1)
                if message is not None and message.error() is None:
                    answer(message, dict(message.headers())["request-id"].decode())
            consumer.close()

        threads.append(threading.Thread(target=loop))
        threads[-1].start()

    yield work
    stopping.set()
    for thread in threads:
        thread.join()

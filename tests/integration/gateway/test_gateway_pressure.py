"""Full queues, pools, disks and gateways: a clear answer each, and recovery without a restart."""

import asyncio
import contextlib
import os
import signal
import threading
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import pytest
from sqlalchemy import text

from gateway.settings import GatewaySettings
from local import estate, ports
from local.environment import LocalSettings
from local.session import supervised
from schemas.tables import RUNS
from streams import topics_admin
from streams.settings import Settings
from tests.integration.gateway.conftest import Rows, Serve

_LOCKED_OUT = text(
    "SELECT count(*) FROM pg_locks JOIN pg_database ON database = pg_database.oid "
    "WHERE NOT granted AND datname = current_database()"
)
PING = "/v1/pings?wait_s=0"
FILE = {"file": ("a.txt", b"hello")}


async def asked_until(
    client: httpx2.AsyncClient, status: int, method: str, path: str, **more: object
) -> httpx2.Response:
    """Returns: the first answer with this status; each before it must be one that says busy."""
    for _ in range(150):
        response = await client.request(method, path, **more)  # type: ignore[arg-type]
        if response.status_code == status:
            return response
        assert response.status_code in {200, 202, 503}, response.text
        await asyncio.sleep(0.2)
    pytest.fail(f"no {status} within 30 s; the last was {response.text}")


def says_when(response: httpx2.Response, code: str) -> None:
    """Check that a refusal is a problem of this kind that says when to ask again."""
    body = response.json()
    assert (response.status_code, body["code"]) == (503, code), body
    assert response.headers["Content-Type"] == "application/problem+json"
    assert int(response.headers["Retry-After"]) == body["retry_after_s"] >= 1


@contextlib.asynccontextmanager
async def served(
    serve: Serve, headers: dict[str, str], settings: GatewaySettings, **changes: object
) -> AsyncIterator[httpx2.AsyncClient]:
    """Yield a client of a gateway with these settings changed."""
    async with (
        serve(settings.model_copy(update=changes)) as url,
        httpx2.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as client,
    ):
        yield client


@dataclass
class Broker:
    """A broker that may be stopped and let go on."""

    address: str
    pid: int

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Hold the broker's process for a while."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@pytest.fixture(scope="module")
async def broker(
    settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Broker]:
    """A broker of this module's own, with the session's topics."""
    state: Path = tmp_path_factory.mktemp("broker")
    planned = estate.plan(state, ports.free(), LocalSettings(), throwaway=True)
    [kafka] = [one for one in planned.servers if one.name == "kafka"]
    async with supervised(replace(planned, servers=(kafka,)), lambda _: None) as supervisor:
        address = planned.variables["ACTIONSTREAM_KAFKA_BOOTSTRAP"]
        own = settings.model_copy(update={"kafka_bootstrap": address})
        await asyncio.to_thread(topics_admin.apply, own)
        yield Broker(address, supervisor.pids()["kafka"])


async def test_a_full_producer_queue_is_said_and_empties(
    serve: Serve, headers: dict[str, str], gateway_settings: GatewaySettings, broker: Broker
) -> None:
    """While the broker stands still some may be in its log and the rest are refused at once.

    When it goes on, so does the gateway; what may have been taken is repeated by its key.
    """
    async with served(
        serve,
        headers,
        gateway_settings,
        kafka_bootstrap=broker.address,
        max_queued_records=4,
        publish_timeout=timedelta(seconds=3),
    ) as client:
        await asked_until(client, 202, "POST", PING)
        with broker.stopped():
            answers = await asyncio.gather(*(client.post(PING) for _ in range(12)))
        codes = Counter(answer.json()["code"] for answer in answers)
        assert codes == {"queue_full": 8, "maybe_accepted": 4}
        for answer in answers:
            says_when(answer, answer.json()["code"])
        await asked_until(client, 202, "POST", PING)
        for key in {answer.json().get("idempotency_key") for answer in answers} - {None}:
            again = await client.post(PING, headers={"Idempotency-Key": key})
            assert (again.status_code, again.json()["request_id"]) == (202, key)


async def test_brokers_that_cannot_be_reached_are_said(
    serve: Serve, headers: dict[str, str], gateway_settings: GatewaySettings
) -> None:
    """Without any broker a request is unknown after the publishing timeout, and health says it."""
    async with served(
        serve,
        headers,
        gateway_settings,
        kafka_bootstrap="127.0.0.1:1",
        publish_timeout=timedelta(seconds=1),
    ) as client:
        answer = await client.post(PING)
        says_when(answer, "maybe_accepted")
        health = await client.get("/health")
        assert (health.status_code, health.json()["status"]) == (503, "unavailable")
        assert health.json()["backlog"]["expected_wait_s"] is None
        assert (await client.get("/ready")).status_code == 503


async def test_an_exhausted_pool_is_said_and_recovers(
    serve: Serve, headers: dict[str, str], gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """With every connection held by a slow query, the next call is told to come again."""
    async with served(
        serve,
        headers,
        gateway_settings,
        gateway_database_pool=1,
        statement_timeout=timedelta(seconds=30),
    ) as client:
        with rows.engine.begin() as connection:
            connection.execute(text("LOCK TABLE document_types IN ACCESS EXCLUSIVE MODE"))
            held = asyncio.create_task(client.get("/v1/document-types"))
            for _ in range(200):
                if connection.execute(_LOCKED_OUT).scalar():
                    break
                await asyncio.sleep(0.05)
            says_when(await client.get("/v1/document-types?again"), "unavailable")
        assert (await held).status_code == 200
        assert (await client.get("/v1/document-types")).status_code == 200


class Disk(ThreadingHTTPServer):
    """Stands before the object store, and answers that its disk is full where the test says so."""

    def __init__(self, store: str) -> None:
        super().__init__(("127.0.0.1", 0), _Passing)
        self.store = urlsplit(store).netloc
        self.status: int | None = None


class _Passing(BaseHTTPRequestHandler):
    server: Disk
    protocol_version = "HTTP/1.1"

    def _pass(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.server.status is not None:
            found = b"<Error><Code>InsufficientStorage</Code></Error>"
            status, headers = self.server.status, {"Content-Type": "application/xml"}
        else:
            store = HTTPConnection(self.server.store, timeout=30)
            store.request(self.command, self.path, body, dict(self.headers))
            answer = store.getresponse()
            found, status, headers = answer.read(), answer.status, dict(answer.getheaders())
            store.close()
        self.send_response_only(status)
        for name, value in headers.items():
            if name.lower() not in {"content-length", "transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(found)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(found)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@pytest.fixture
def disk(gateway_settings: GatewaySettings) -> Iterator[Disk]:
    """What stands before the session's object store."""
    assert gateway_settings.s3_endpoint is not None
    with Disk(gateway_settings.s3_endpoint) as disk:
        thread = threading.Thread(target=disk.serve_forever)
        thread.start()
        yield disk
        disk.shutdown()
        thread.join()


@pytest.mark.parametrize("status", [500, 507])
async def test_a_full_disk_is_said_and_recovers(
    serve: Serve,
    headers: dict[str, str],
    gateway_settings: GatewaySettings,
    disk: Disk,
    status: int,
) -> None:
    """The store's refusal, of small files and of parts of large ones, is 503 until it has room."""
    async with served(
        serve, headers, gateway_settings, s3_endpoint=f"http://127.0.0.1:{disk.server_port}"
    ) as client:
        assert (await client.post("/v1/documents", files=FILE)).status_code == 202
        disk.status = status
        large = {"file": ("b.bin", b"x" * 9 * 1024**2)}
        for files in (FILE, large):
            says_when(await client.post("/v1/documents", files=files), "unavailable")
        disk.status = None
        for files in (FILE, large):
            assert (await client.post("/v1/documents", files=files)).status_code == 202


async def test_uploads_beyond_the_limit_are_told_to_wait(
    serve: Serve, headers: dict[str, str], gateway_settings: GatewaySettings
) -> None:
    """While one upload's bytes come in, a second has no place; calls of other kinds go on."""
    began, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhe'
        began.set()
        await go_on.wait()
        yield b"llo\r\n--b--\r\n"

    async with served(serve, headers, gateway_settings, max_uploads=1) as client:
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        first = asyncio.create_task(client.post("/v1/documents", content=slowly(), headers=kind))
        await began.wait()
        says_when(await asked_until(client, 503, "POST", "/v1/documents", files=FILE), "busy")
        assert (await client.post(PING)).status_code == 202
        go_on.set()
        assert (await first).status_code == 202
        assert (await client.post("/v1/documents", files=FILE)).status_code == 202


async def test_work_that_would_take_too_long_is_refused(
    serve: Serve, headers: dict[str, str], gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """Above the limit uploads, reprocessing and trials are refused unread, and reading goes on.

    Both answers, to what is accepted and to what is refused, say the expected wait.
    """
    ended = datetime.now(UTC)
    document_id = rows.document()
    for number in range(3):
        rows.add(
            RUNS,
            run_id=rows.run_id(),
            document_id=document_id,
            request_id=rows.request_id(),
            number=number,
            status="completed",
            created_at=ended - timedelta(seconds=100),
            completed_at=ended,
        )
    async with served(
        serve, headers, gateway_settings, max_expected_wait=timedelta(seconds=50)
    ) as client:
        refused = await asked_until(client, 503, "POST", "/v1/documents", files=FILE)
        says_when(refused, "overloaded")
        assert refused.json()["expected_wait_s"] >= 100
        before = await uploaded_bytes(client)
        for path, more in (
            ("/v1/documents", {"files": FILE}),
            (f"/v1/documents/{document_id}/reprocess", {}),
            ("/v1/document-types/invoice/try", {"json": {"document_id": document_id}}),
        ):
            says_when(await client.post(path, **more), "overloaded")  # type: ignore[arg-type]
        assert await uploaded_bytes(client) == before
        assert (await client.post(PING)).status_code == 202
        assert (await client.get("/v1/documents")).status_code == 200
        backlog = (await client.get("/health")).json()["backlog"]
        assert backlog["expected_wait_s"] >= 100
        metrics = (await client.get("/metrics")).text
        assert "actionstream_expected_wait_seconds" in metrics
        assert "actionstream_waiting_documents" in metrics


async def uploaded_bytes(client: httpx2.AsyncClient) -> str:
    """Returns: the line of the metric that counts them."""
    lines = (await client.get("/metrics")).text.splitlines()
    return next(line for line in lines if line.startswith("actionstream_uploaded_bytes_total"))


async def test_what_is_accepted_says_how_long_it_will_take(api: httpx2.AsyncClient) -> None:
    """The 202 to one file and each item of several say it; a ping has no documents before it."""
    for _ in range(100):
        found = (await api.post("/v1/documents", files=FILE)).json()
        if found["expected_wait_s"] is not None:
            break
        await asyncio.sleep(0.1)
    assert found["expected_wait_s"] > 0
    several = await api.post(
        "/v1/documents", files=[("files", ("a", b"a")), ("files", ("b", b"b"))]
    )
    assert [item["expected_wait_s"] is None for item in several.json()["items"]] == [False, False]
    assert (await api.post(PING)).json()["expected_wait_s"] is None

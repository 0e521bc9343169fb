"""What happens to a document is told while it happens, in every way that there is."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from tests.e2e.conftest import SAMPLES, ClientSettings, NewTenant, Tenant
from tests.e2e.test_command_line import COMMAND

STEPS = [
    "document.received",
    "document.parsed",
    "document.classified",
    "document.extracted",
    "document.indexed",
]


@pytest.fixture
def tenant(new_tenant: NewTenant) -> Tenant:
    """A tenant to whom nothing has happened."""
    return new_tenant()


@contextmanager
def later(work: Any, *arguments: Any) -> Iterator[list[Any]]:
    """Do something in another thread; yields what it returns, to be read at the end."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(work(*arguments)))
    thread.start()
    yield found
    thread.join()


def upload(client: httpx2.Client, sample: Path) -> str:
    """Returns: the id of a document that is on its way."""
    answer = client.post("/v1/documents", files={"file": (sample.name, sample.read_bytes())})
    assert answer.status_code == 202, answer.text
    document_id: str = answer.json()["document_id"]
    return document_id


def streamed(client: httpx2.Client, ready: threading.Event) -> list[dict[str, Any]]:
    """Returns: the events that a stream tells, up to the end of a document."""
    found: list[dict[str, Any]] = []
    with client.sse("/v1/events/stream", params={"type": "document.*"}) as source:
        for one in source:
            ready.set()
            if one.data:
                found.append(json.loads(one.data))
            if one.event == "document.indexed":
                return found
    return found


def test_a_document_is_followed_live(settings: ClientSettings, tenant: Tenant) -> None:
    """By server-sent events while it is worked on; by pages, WebSocket and command afterwards."""
    ready = threading.Event()
    sample = SAMPLES / "contract-services.docx"
    with settings.client(tenant.key) as client, settings.client(tenant.key) as follower:
        with later(streamed, follower, ready) as live:
            assert ready.wait(30)
            document_id = upload(client, sample)
        [events] = live
        assert [one["type"] for one in events if one["subject"] == document_id] == STEPS
        page = client.get("/v1/events", params={"subject_id": document_id}).json()
        assert page["items"][: len(STEPS)] == events
    assert _by_socket(settings, tenant, len(STEPS)) == events
    environment = {**os.environ, "ACTIONSTREAM_API_KEY": tenant.key}  # noqa: TID251
    shown = subprocess.run(
        [COMMAND, "events", "--type", "document.*", "--subject", document_id, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [json.loads(line) for line in shown.stdout.splitlines()][: len(STEPS)] == events


def _by_socket(settings: ClientSettings, tenant: Tenant, count: int) -> list[dict[str, Any]]:
    url = settings.gateway_url.replace("http", "ws", 1) + "/v1/ws"
    offered = [Subprotocol("actionstream.v1"), Subprotocol(f"bearer.{tenant.key}")]
    with connect(url, subprotocols=offered, proxy=None) as socket:
        wanted = {"type": "subscribe", "since": "0", "types": ["document.*"]}
        socket.send(json.dumps(wanted))
        found: list[dict[str, Any]] = []
        while len(found) < count:
            message = json.loads(socket.recv(30))
            if message["type"] == "event":
                found.append(message["event"])
    return found

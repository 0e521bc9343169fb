"""Webhooks through the whole product: made, tested, told of an object, signed, refused inwards."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from standardwebhooks import Webhook

from tests.e2e.conftest import ClientSettings, NewTenant, Until, made

COMMAND = Path(sys.executable).with_name("actionstream")


class Received(ThreadingHTTPServer):
    """Keeps what is posted to it: headers and body."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        assert isinstance(self.server, Received)
        self.server.got.append((dict(self.headers), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def received() -> Iterator[Received]:
    """Where deliveries go."""
    with Received() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_happens_is_told(
    settings: ClientSettings, new_tenant: NewTenant, received: Received, until: Until
) -> None:
    """A test first, then what happens to an object, each signed with the secret of the answer."""
    tenant = new_tenant()
    with settings.client(tenant.key) as api:
        body = {"url": received.url, "events": ["object.*"]}
        webhook = made(api.post("/v1/webhooks", json=body))
        path = f"/v1/webhooks/{webhook['webhook_id']}"
        tested = made(api.post(f"{path}/test"))["result"]["delivery_id"]
        made(api.post(tenant.collections, json={"name": "diary"}))
        thing = made(api.post(f"{tenant.collections}/diary/objects", json={"body": {"n": 1}}))

        def delivered() -> list[dict[str, Any]] | None:
            items: list[dict[str, Any]] = made(api.get(f"{path}/deliveries"))["items"]
            done = [each for each in items if each["state"] == "delivered"]
            return done if len(done) == 2 else None

        latest, first = until(delivered)
        found = made(api.get(path))

    assert (first["delivery_id"], first["event_type"]) == (tested, "webhook.test")
    assert (latest["event_type"], latest["status_code"], latest["attempts"]) == (
        "object.created",
        204,
        1,
    )
    assert (found["state"], found["failures"], found["pending"]) == ("active", 0, 0)
    told = [Webhook(webhook["secret"]).verify(body, headers) for headers, body in received.got]
    assert [each["type"] for each in told] == ["webhook.test", "object.created"]
    assert told[1]["subject"] == thing["id"]


def test_endpoints_are_used_on_the_command_line(received: Received) -> None:
    """The secret alone is printed; a test says what came of it; what leads inwards is refused."""

    def command(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [COMMAND, "webhooks", *arguments], capture_output=True, text=True, check=False
        )

    created = command("create", received.url, "--event", "batch.completed")
    assert created.stdout.startswith("whsec_"), created.stderr
    webhook_id = created.stderr.split()[1].rstrip(";")
    tested = command("test", webhook_id)
    assert (tested.returncode, "delivered" in tested.stdout) == (0, True), tested.stderr
    [(headers, body)] = received.got
    assert Webhook(created.stdout.strip()).verify(body, headers)["type"] == "webhook.test"
    assert webhook_id in command("list").stdout
    assert command("delete", webhook_id, "--yes").returncode == 0
    refused = command("create", "https://10.0.0.1/hook")
    assert refused.returncode != 0
    assert "private_address" in refused.stderr


def test_a_key_of_others_finds_nothing(
    settings: ClientSettings, new_tenant: NewTenant, api: httpx2.Client, received: Received
) -> None:
    """Neither the endpoint nor its deliveries."""
    with settings.client(new_tenant().key) as other:
        webhook = made(other.post("/v1/webhooks", json={"url": received.url}))
        path = f"/v1/webhooks/{webhook['webhook_id']}"
        assert api.get(path).status_code == 404
        assert api.get(f"{path}/deliveries").status_code == 404
        assert api.delete(path).status_code == 404
        assert other.delete(path).status_code == 200

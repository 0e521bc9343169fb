"""A rolling restart under load: no call is lost, cut off, or answered with an error."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import pytest
from confluent_kafka import Consumer, TopicPartition
from pydantic import SecretStr

from gateway.settings import GatewaySettings

COMMAND = str(Path(sys.executable).with_name("actionstream"))
DRAIN_S = 1
THREADS = 8
KEY = "application/json"


def free_port() -> int:
    """Returns: a port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(settings: GatewaySettings, **changes: object) -> dict[str, str]:
    """Returns: this process's environment with these settings in it."""
    given = GatewaySettings.model_validate({**settings.model_dump(), **changes})
    made = {}
    for name, value in given.model_dump(mode="json", exclude_none=True).items():
        secret = getattr(given, name)
        shown = secret.get_secret_value() if isinstance(secret, SecretStr) else value
        text = json.dumps(shown) if isinstance(shown, list | dict) else str(shown)
        made[f"ACTIONSTREAM_{name.upper()}"] = text
    return {**os.environ, **made}  # noqa: TID251 - a child gets all of it


@dataclass
class Instance:
    """A gateway as a process of its own, which can be started again on the same port."""

    settings: GatewaySettings
    log: IO[bytes]
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        env = environment(self.settings, port=self.port, drain=DRAIN_S)
        self.process = subprocess.Popen(
            [COMMAND, "gateway"], env=env, stdout=self.log, stderr=self.log
        )
        while self.process.poll() is None:
            try:
                if self.ask("/ready") == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        pytest.fail(f"the gateway ended with {self.process.returncode}")

    def ask(self, path: str) -> int:
        """Returns: the status of an answer on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        finally:
            connection.close()

    def end(self) -> int:
        """Returns: the exit code after SIGTERM."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait()


@pytest.fixture
def pair(gateway_settings: GatewaySettings, tmp_path: Path) -> Iterator[list[Instance]]:
    """Two gateways that are ready."""
    with (tmp_path / "gateways.log").open("wb") as log:
        pair = [Instance(gateway_settings, log) for _ in range(2)]
        try:
            for one in pair:
                one.start()
            yield pair
        finally:
            for one in pair:
                if one.process is not None and one.process.poll() is None:
                    one.process.kill()
                    one.process.wait()


@dataclass
class Client:
    """Calls in a loop; keeps its connections, and tries the other gateway if one refuses."""

    ports: list[int]
    headers: dict[str, str]
    number: int
    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    refused: int = 0
    connections: dict[int, http.client.HTTPConnection] = field(default_factory=dict)

    def run(self, stop: threading.Event) -> None:
        """Call until told to stop: reads, uploads, and calls that wait."""
        turn = self.number
        while not stop.is_set():
            turn += 1
            if turn % 3 == 0:
                self._call(turn, "GET", "/v1/documents?limit=1")
            elif turn % 3 == 1:
                body = {"content_base64": "aGVsbG8=", "filename": f"{self.number}-{turn}.txt"}
                self._call(turn, "POST", "/v1/documents", json.dumps(body))
            else:
                self._call(turn, "POST", "/v1/pings?wait_s=0.3", "{}")
        for connection in self.connections.values():
            connection.close()

    def _call(self, turn: int, method: str, path: str, body: str | None = None) -> None:
        for port in (self.ports[turn % 2], self.ports[(turn + 1) % 2]):
            connection = self.connections.setdefault(
                port, http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            )
            try:
                connection.request(method, path, body, {**self.headers, "Content-Type": KEY})
                answer = connection.getresponse()
                found = json.loads(answer.read())
            except ConnectionRefusedError:
                self.refused += 1
                connection.close()
                continue
            except (OSError, http.client.HTTPException) as error:
                self.broken.append(f"{method} {path}: {error!r}")
                connection.close()
                return
            self.statuses[answer.status] += 1
            if method == "POST" and answer.status == 202:
                self.accepted.append(found["document_id"] or found["request_id"])
            return
        self.broken.append(f"{method} {path}: both refused")


def published(settings: GatewaySettings, topic: str) -> Counter[str]:
    """Returns: the keys of all records of a topic."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "unused"})
    name = settings.topic_prefix + topic
    found: Counter[str] = Counter()
    for number in consumer.list_topics(name, timeout=10).topics[name].partitions:
        place = TopicPartition(name, number, 0)
        _, end = consumer.get_watermark_offsets(place, timeout=10)
        consumer.assign([place])
        for _ in range(end):
            record = consumer.poll(10)
            assert record is not None
            found[record.key().decode()] += 1
    consumer.close()
    return found


def test_a_rolling_restart_loses_nothing(
    pair: list[Instance], gateway_settings: GatewaySettings, headers: dict[str, str]
) -> None:
    """Each gateway is restarted twice: every call has one good answer, every accepted id a record.

    The client goes to the other gateway only where a connection is refused.
    """
    stop = threading.Event()
    ports = [one.port for one in pair]
    clients = [Client(ports, headers, number) for number in range(THREADS)]
    threads = [threading.Thread(target=one.run, args=(stop,)) for one in clients]
    for thread in threads:
        thread.start()
    codes = []
    for _ in range(2):
        for one in pair:
            codes.append(one.end())
            one.start()
    stop.set()
    for thread in threads:
        thread.join()

    assert [line for one in clients for line in one.broken] == []
    statuses = sum((one.statuses for one in clients), Counter[int]())
    assert set(statuses) <= {200, 202, 503}
    assert statuses[200] > 0
    assert sum(one.refused for one in clients) > 0
    accepted = Counter(name for one in clients for name in one.accepted)
    there = published(gateway_settings, "process-document") + published(gateway_settings, "ping")
    assert {name: there[name] for name in accepted} == accepted
    assert set(codes) <= {0, -signal.SIGTERM}


def test_a_draining_gateway_says_so_and_goes_on_serving(
    pair: list[Instance], headers: dict[str, str]
) -> None:
    """After SIGTERM: not ready, Connection: close on every answer, and calls are still served."""
    leaving = pair[0]
    assert leaving.process is not None
    kept = http.client.HTTPConnection("127.0.0.1", leaving.port, timeout=30)
    kept.request("GET", "/live")
    first = kept.getresponse()
    first.read()
    leaving.process.send_signal(signal.SIGTERM)
    while leaving.ask("/ready") == 200:
        time.sleep(0.01)
    kept.request("GET", "/v1/documents?limit=1", headers=headers)
    last = kept.getresponse()
    last.read()
    assert (first.getheader("Connection"), last.getheader("Connection")) == (None, "close")
    assert last.status == 200
    assert leaving.process.wait() in {0, -signal.SIGTERM}
    with pytest.raises(ConnectionRefusedError):
        leaving.ask("/ready")

"""Readiness checks: whether a server serves, asked the way that its clients will ask."""

import asyncio
import http.client
import json
import logging
import socket
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from local.errors import Obstacle

#: One question must not take longer: it is asked again anyway.
ANSWER_S = 5.0
_MOST_BYTES = 1024**2
_SILENT = logging.getLogger("local.kafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


async def http_ok(url: str, *, holds: str = "") -> bool:
    """Returns: whether `url` answers with a status below 400 and a body that contains `holds`."""
    status, body = await get(url)
    return 0 < status < http.HTTPStatus.BAD_REQUEST and holds in body


async def http_answers(url: str, expected: int) -> bool:
    """Returns: whether `url` answers with exactly this status, such as 403 of a closed store."""
    status, _ = await get(url)
    return status == expected


async def get(url: str, limit_s: float = ANSWER_S) -> tuple[int, str]:
    """Ask a server on this machine by plain HTTP.

    Asked several times a second, so without the TLS that a whole client would set up each time.

    Returns: status and body of the answer; (0, "") if there is none within `limit_s`.
    """
    return await asyncio.to_thread(_get, url, limit_s)


def _get(url: str, limit_s: float) -> tuple[int, str]:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=limit_s)
    target = urlunsplit(("", "", parts.path or "/", parts.query, ""))
    try:
        connection.request("GET", target)
        answer = connection.getresponse()
        return answer.status, answer.read(_MOST_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException):
        return 0, ""
    finally:
        connection.close()


async def kafka_has_a_leader(bootstrap: str) -> bool:
    """Returns: whether the broker tells its metadata and knows a controller."""
    return await asyncio.to_thread(_kafka_has_a_leader, bootstrap)


def _kafka_has_a_leader(bootstrap: str) -> bool:
    host, _, port = bootstrap.rpartition(":")
    # Its client starts three threads; before the port is open they would only wait.
    with socket.socket() as probe:
        if probe.connect_ex((host, int(port))):
            return False
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}, logger=_SILENT)
    try:
        found = client.list_topics(timeout=ANSWER_S)
    except KafkaException:
        return False
    return bool(found.brokers) and found.controller_id >= 0


async def postgres_answers(url: str) -> bool:
    """Returns: whether a connection is accepted and a query answered.

    Raises:
        Obstacle: the password is another one, which waiting does not mend.
    """
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=5) as connection:
            await connection.execute("SELECT 1")
    except psycopg.OperationalError as error:
        if "password authentication failed" in str(error):
            raise Obstacle(
                "Postgres has data that was made with other secrets, as by a clone that was in "
                "this folder before: delete it with `make reset`, then start again."
            ) from error
        return False
    return True


async def worker_works(log: Path) -> bool:
    """Ask a worker's log, in which each worker says when it has its partitions.

    Args:
        log: its log file, one JSON object a line.

    Returns: whether the last worker that said that it is working still runs; an earlier one of the
        same log, which died, does not.
    """
    return await asyncio.to_thread(_worker_works, log)


def _worker_works(log: Path) -> bool:
    works = False
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            event = json.loads(line)
        except json.JSONDecodeError:
            # A line that is just being written, or a library that prints by itself.
            continue
        if isinstance(event, dict) and event.get("event") in ("working", "stopping"):
            pid = str(event.get("owner", "")).rpartition(":")[2]
            works = event["event"] == "working" and pid.isdigit() and psutil.pid_exists(int(pid))
    return works

"""Readiness checks: whether a server serves, asked the way that its clients will ask."""

import asyncio
import json
import logging
from pathlib import Path

import httpx2
import psutil
import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

#: One question must not take longer: it is asked again anyway.
ANSWER_S = 5.0
_SILENT = logging.getLogger("local.kafka")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False


async def http_ok(url: str, *, holds: str = "") -> bool:
    """Returns: whether `url` answers with a status below 400 and a body that contains `holds`."""
    try:
        async with httpx2.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            answer = await client.get(url)
    except httpx2.HTTPError:
        return False
    return answer.status_code < httpx2.codes.BAD_REQUEST and holds in answer.text


async def http_answers(url: str, status: int) -> bool:
    """Returns: whether `url` answers with exactly this status, such as 403 of a closed store."""
    try:
        async with httpx2.AsyncClient(timeout=ANSWER_S, trust_env=False) as client:
            return (await client.get(url)).status_code == status
    except httpx2.HTTPError:
        return False


async def kafka_has_a_leader(bootstrap: str) -> bool:
    """Returns: whether the broker tells its metadata and knows a controller."""
    return await asyncio.to_thread(_kafka_has_a_leader, bootstrap)


def _kafka_has_a_leader(bootstrap: str) -> bool:
    client = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}, logger=_SILENT)
    try:
        found = client.list_topics(timeout=ANSWER_S)
    except KafkaException:
        return False
    return bool(found.brokers) and found.controller_id >= 0


async def postgres_answers(url: str) -> bool:
    """Returns: whether a connection is accepted and a query answered."""
    try:
        async with await psycopg.AsyncConnection.connect(url, connect_timeout=5) as connection:
            await connection.execute("SELECT 1")
    except psycopg.OperationalError:
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

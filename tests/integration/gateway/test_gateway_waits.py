"""What waits is visible: workers and breakers in health, attempts in documents and requests."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete, insert

from schemas.tables import STEPS, WORKERS
from tests.integration.gateway.conftest import Rows

AT = datetime(2026, 11, 21, 10, 42, tzinfo=UTC)
OPEN = {"state": "open", "reason": "no answer from http://10.1.2.3:11434/api within 60 s"}


@pytest.fixture
def workers(rows: Rows) -> Iterator[Rows]:
    """Writes signs of life, which are gone after the test."""
    yield rows
    with rows.engine.begin() as connection:
        connection.execute(delete(WORKERS))


def lives(rows: Rows, owner: str, **state: Any) -> None:
    """Write a worker's sign of life."""
    with rows.engine.begin() as connection:
        connection.execute(insert(WORKERS).values(owner=owner, stages="all", state=state))


async def health(api: httpx2.AsyncClient) -> dict[str, Any]:
    """Returns: the health once what was known of it has become too old."""
    await asyncio.sleep(1.1)
    body: dict[str, Any] = (await api.get("/health")).json()
    return body


async def test_without_a_worker_health_says_so(api: httpx2.AsyncClient, workers: Rows) -> None:
    """Documents are accepted and wait, so it is degraded and not unavailable."""
    found = await health(api)
    assert found["status"] == "degraded"
    assert any(line.startswith("No worker is alive") for line in found["detail"])
    assert found["workers"] == []
    lives(workers, "host-7:42", waiting_for={}, models={}, stopped_stages={}, version="1.2")
    found = await health(api)
    assert not any("worker" in line for line in found["detail"])
    assert found["workers"] == [
        {
            "stages": "all",
            "state": "working",
            "waiting_for": {},
            "stopped_stages": {},
            "version": "1.2",
        }
    ]


async def test_what_workers_suffer_from_is_said(api: httpx2.AsyncClient, workers: Rows) -> None:
    """A missing model, the worst breaker of each model, a stopped stage; no host, no process."""
    missing = "the model m is missing; run `ollama pull m` where the model server runs"
    closed = {"state": "closed", "reason": None}
    lives(workers, "host-7:42", waiting_for={"models": missing})
    lives(workers, "host-8:43", models={"m": closed, "n": closed})
    lives(workers, "host-9:44", models={"m": OPEN}, stopped_stages={"extract": "10 bugs in a row"})
    found = await health(api)
    assert found["status"] == "degraded"
    said = "\n".join(found["detail"])
    assert f"A worker (all) waits for models: {missing}." in said
    assert "The stage extract of a worker (all) has stopped: 10 bugs in a row" in said
    assert "no answer from (address) within 60 s" in said
    assert not any(hidden in str(found) for hidden in ("host-", "10.1.2.3", "11434"))
    breakers = {(one["model"], one["used_by"]): one["state"] for one in found["models"]}
    assert breakers[("m", "workers")] == "open"
    assert breakers[("n", "workers")] == "closed"
    assert {used_by for _, used_by in breakers} == {"workers", "search"}


@pytest.fixture
def waiting(rows: Rows) -> dict[str, str]:
    """A document whose step waits for its third attempt of five."""
    request_id, run_id = rows.request_id(), rows.run_id()
    document_id = rows.document(status="waiting", request_id=request_id, run_id=run_id)
    rows.settle(request_id, kind="process-document", status="waiting", document_id=document_id)
    rows.add(
        STEPS,
        run_id=run_id,
        stage="receive",
        part=0,
        document_id=document_id,
        request_id=request_id,
        state="waiting",
        failures=2,
        attempt=2,
        attempts_allowed=5,
        retry_at=AT,
        waiting_for="the link's server",
        waiting_since=AT,
    )
    return {"document_id": document_id, "request_id": request_id}


async def test_a_retry_shows_its_attempt_and_time(
    api: httpx2.AsyncClient, waiting: dict[str, str]
) -> None:
    """The document's timeline and the request both say "attempt 3 of 5 at 10:42"."""
    document = (await api.get(f"/v1/documents/{waiting['document_id']}")).json()
    request = (await api.get(f"/v1/requests/{waiting['request_id']}")).json()
    assert document["status"] == request["status"] == "waiting"
    [step] = document["timeline"]
    expected = {"attempt": 3, "attempts_allowed": 5, "waiting_for": "the link's server"}
    assert {name: step[name] for name in expected} == expected
    assert datetime.fromisoformat(step["retry_at"]) == AT
    assert {name: request["waiting"][name] for name in expected} == expected
    assert datetime.fromisoformat(request["waiting"]["retry_at"]) == AT
    assert request["waiting"]["stage"] == "receive"
    assert request["retry_after_s"] > 0


async def test_only_what_waits_says_what_for(api: httpx2.AsyncClient, rows: Rows) -> None:
    """A request in another state has nothing to wait for."""
    request_id = rows.request_id()
    rows.settle(request_id)
    assert (await api.get(f"/v1/requests/{request_id}")).json()["waiting"] is None

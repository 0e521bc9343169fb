"""Batches as they are read: counts, failures, pace, pages, results as files, whose they are."""

import csv
import io
import json
import uuid
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock, Mock

import httpx2
import pytest

from gateway.database import Reader
from gateway.direct import Direct
from gateway.principal import Principal
from gateway.routes.batches import get_batch
from gateway.settings import GatewaySettings
from gateway.state import State
from schemas.ids import BATCH, DOCUMENT, REQUEST
from schemas.tables import BATCH_ENTRIES, BATCH_TALLIES, BATCHES
from tests.integration.gateway.conftest import Bearer, Rows
from tests.integration.gateway.test_gateway_letters import put

PROBLEM = {
    "type": "/problems/encrypted",
    "title": "Encrypted",
    "status": 422,
    "detail": "It needs a password.",
    "code": "encrypted",
}


class Batch:
    """A batch whose rows are written as the workers write them."""

    def __init__(self, rows: Rows, state: str = "closed", **values: Any) -> None:
        self.rows = rows
        self.batch_id = rows.ids.mint(BATCH, rows.gpt_id)
        self.count = 0
        given = {"batch_id": self.batch_id, "request_id": rows.request_id(), "state": state}
        rows.add(BATCHES, **{**given, **values})

    def entry(self, state: str, label: str = "", *, key: str = "", **values: Any) -> str:
        """Add an entry. Returns: the id of its document."""
        self.count += 1
        ids, gpt_id = self.rows.ids, self.rows.gpt_id
        request_id = ids.derive(REQUEST, gpt_id, self.batch_id, key or self.count)
        document_id = ids.derive(DOCUMENT, gpt_id, "document", request_id)
        row = {
            "batch_id": self.batch_id,
            "ordinal": self.count,
            "document_id": document_id,
            "request_id": request_id,
            "path": f"{self.count}.txt",
            "state": state,
            "label": label,
        }
        self.rows.add(BATCH_ENTRIES, **{**row, **values})
        return document_id

    def completed(self, **values: Any) -> str:
        """Add a document that is completed. Returns: its id."""
        now = datetime.now(UTC)
        document_id = self.entry("completed", values.get("type", ""), settled_at=now)
        self.rows.document(document_id=document_id, batch_id=self.batch_id, **values)
        return document_id

    def tally(self, state: str, label: str, count: int) -> None:
        self.rows.add(BATCH_TALLIES, batch_id=self.batch_id, state=state, label=label, count=count)


async def got(api: httpx2.AsyncClient, path: str, **parameters: Any) -> dict[str, Any]:
    """Returns: what a call answers."""
    response = await api.get(path, params=parameters)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_batch_shows_its_counts_and_failures(api: httpx2.AsyncClient, rows: Rows) -> None:
    """By state, by type, by cause with an example; the numbers are those of the tallies."""
    batch = Batch(rows, name="May", metadata={"m": 5}, correlation_id="mine")
    batch.entry("failed", "encrypted", problem=PROBLEM)
    document_id = batch.entry("failed", "corrupt")
    problem = {**PROBLEM, "code": "corrupt", "detail": "It is cut off."}
    rows.document(document_id=document_id, status="failed", problem=problem)
    for state, label, count in (
        ("queued", "", 7),
        ("processing", "", 2),
        ("completed", "invoice", 30),
        ("completed", "letter", 3),
        ("completed", "", 1),
        ("failed", "encrypted", 4),
        ("failed", "corrupt", 5),
        ("cancelled", "", 0),
    ):
        batch.tally(state, label, count)

    found = await got(api, f"/v1/batches/{batch.batch_id}")
    assert (found["name"], found["metadata"], found["state"]) == ("May", {"m": 5}, "closed")
    assert (found["documents"], found["correlation_id"]) == (52, "mine")
    assert found["counts"] == {
        "queued": 7,
        "processing": 2,
        "completed": 34,
        "failed": 9,
        "cancelled": 0,
    }
    assert found["by_type"] == {"invoice": 30, "letter": 3, "unknown": 1}
    first, second = found["failures"]
    assert (first["code"], first["count"]) == ("corrupt", 5)
    assert first["example"] == {
        "path": "2.txt",
        "document_id": document_id,
        "detail": "It is cut off.",
    }
    assert second["example"]["detail"] == "It needs a password."
    assert found["time_left_s"] is None
    assert found["time_left_unknown"] == "too few documents have ended of late"


async def test_pace_and_time_left_follow_the_last_ends(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Ten ended in the last 20 s; a hundred more take about 200 s, and the interval says so."""
    batch, now = Batch(rows), datetime.now(UTC)
    for number in range(11):
        batch.entry("completed", settled_at=now - timedelta(seconds=2 * number))
    batch.entry("cancelled", settled_at=now)
    batch.tally("queued", "", 100)
    batch.tally("completed", "", 11)
    found = await got(api, f"/v1/batches/{batch.batch_id}")
    assert 20 < found["rate_per_minute"] <= 30
    assert found["time_left_unknown"] is None
    assert 60 < found["time_left_s"]["low"] < 200 < found["time_left_s"]["high"] < 600


@pytest.mark.parametrize(
    ("state", "sources", "why"),
    [
        ("completed", 0, "the batch has ended"),
        ("closed", 2, "documents are still being found, or sent again"),
        ("open", 0, "all documents that it has so far have ended"),
    ],
)
async def test_where_no_time_is_left_to_tell_it_says_why(
    api: httpx2.AsyncClient, rows: Rows, state: str, sources: int, why: str
) -> None:
    """A batch that has ended, is still being listed, or has nothing to do."""
    batch = Batch(rows, state, sources=sources)
    found = await got(api, f"/v1/batches/{batch.batch_id}")
    assert (found["time_left_s"], found["time_left_unknown"]) == (None, why)
    assert found["listing"] == sources


async def test_an_id_is_known_before_its_row(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Whoever asks at once gets an open, empty batch and no 404."""
    batch_id = rows.ids.mint(BATCH, rows.gpt_id)
    found = await got(api, f"/v1/batches/{batch_id}")
    assert (found["state"], found["documents"], found["created_at"]) == ("open", 0, None)
    assert (await got(api, f"/v1/batches/{batch_id}/documents"))["items"] == []
    assert (await api.get(f"/v1/batches/{batch_id}/results")).content == b""


async def test_batches_are_listed_by_pages_and_state(
    api: httpx2.AsyncClient, rows: Rows, url: str, bearer: Bearer
) -> None:
    """Newest first, an end user's own; a cursor belongs to its list."""
    subject, start = f"u-{uuid.uuid4().hex[:8]}", datetime(2026, 1, 1, tzinfo=UTC)
    made = [
        Batch(rows, state, subject=subject, created_at=start + timedelta(hours=hour)).batch_id
        for hour, state in enumerate(("open", "closed", "completed"))
    ]
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(subject=subject), trust_env=False
    ) as mine:
        everything = await got(mine, "/v1/batches")
        assert [one["batch_id"] for one in everything["items"]] == made[::-1]
        unfinished = await got(mine, "/v1/batches", state=["open", "closed"])
        assert [one["batch_id"] for one in unfinished["items"]] == made[1::-1]
        page = await got(mine, "/v1/batches", limit="2")
        assert page["has_more"]
        rest = await got(mine, "/v1/batches", limit="2", cursor=page["next_cursor"])
        assert [one["batch_id"] for one in rest["items"]] == made[:1]
        other = {"cursor": page["next_cursor"], "state": "open"}
        assert (await mine.get("/v1/batches", params=other)).status_code == 400
    assert (await api.get("/v1/batches", params={"state": "gone"})).status_code == 422


async def test_an_end_user_sees_nothing_of_anothers_batch(
    rows: Rows, url: str, bearer: Bearer
) -> None:
    """Neither its counts nor its documents nor its results: there is no such batch."""
    batch = Batch(rows, subject="ada")
    document_id = batch.completed(type="invoice", fields={"total": 1})
    batch.tally("completed", "invoice", 1)
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(subject="bob"), trust_env=False
    ) as bob:
        path = f"/v1/batches/{batch.batch_id}"
        for hidden in (path, f"{path}/documents", f"{path}/results", f"{path}/results?format=csv"):
            assert (await bob.get(hidden)).status_code == 404
    queued = Batch(rows, subject="ada")
    waiting = queued.entry("queued")
    async with httpx2.AsyncClient(
        base_url=url, headers=bearer(subject="bob"), trust_env=False
    ) as bob:
        assert (await got(bob, f"/v1/documents/{waiting}"))["batch_id"] is None
    assert document_id != waiting


async def test_whose_a_batch_is_is_asked_only_where_nothing_is_found(
    gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """Who looks again and again at a batch of their own has it in one statement less."""
    batch = Batch(rows, subject="ada")
    caller = Principal(rows.gpt_id, "ada", "key", frozenset({"read"}), None)
    direct, asked = Direct(gateway_settings), Mock(spec=Reader)
    asked.row = AsyncMock(return_value=None)
    state = cast("State", SimpleNamespace(ids=rows.ids, direct=direct, reader=asked))
    assert (await get_batch(batch.batch_id, state, caller)).subject == "ada"
    assert asked.row.await_count == 0
    unstored = rows.ids.mint(BATCH, rows.gpt_id)
    assert (await get_batch(unstored, state, caller)).created_at is None
    assert asked.row.await_count == 1
    await direct.close()


async def test_documents_are_listed_in_order(api: httpx2.AsyncClient, rows: Rows) -> None:
    """By pages, by state, by the keys that they were added with; failures say why."""
    batch = Batch(rows)
    batch.completed(type="letter")
    named = batch.entry("queued", key="a-key")
    batch.entry("failed", "encrypted", problem=PROBLEM, document_id=None)
    path = f"/v1/batches/{batch.batch_id}/documents"

    page = await got(api, path, limit="2")
    assert [(one["ordinal"], one["state"]) for one in page["items"]] == [
        (1, "completed"),
        (2, "queued"),
    ]
    assert page["items"][0]["type"] == "letter"
    rest = await got(api, path, limit="2", cursor=page["next_cursor"])
    [failed] = rest["items"]
    assert (failed["document_id"], failed["problem"]["code"]) == (None, "encrypted")
    assert not rest["has_more"]
    [only] = (await got(api, path, state="queued"))["items"]
    assert only["document_id"] == named
    [by_key] = (await got(api, path, key=["a-key", "another"]))["items"]
    assert by_key["path"] == "2.txt"
    other = {"cursor": page["next_cursor"], "limit": "2", "state": "queued"}
    assert (await api.get(path, params=other)).status_code == 400


async def test_a_queued_document_is_accepted_and_of_its_batch(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """Before its turn comes it has no row of its own."""
    batch = Batch(rows)
    document_id = batch.entry("queued")
    found = await got(api, f"/v1/documents/{document_id}")
    assert (found["status"], found["batch_id"]) == ("accepted", batch.batch_id)


async def test_lists_know_batches_and_contents(api: httpx2.AsyncClient, rows: Rows) -> None:
    """`where` takes batch_id and sha256, and dead letters a batch_id."""
    batch, digest = Batch(rows), uuid.uuid4().hex * 2
    document_id = batch.completed(sha256=digest)
    letter = put(rows, document_id=document_id, batch_id=batch.batch_id)
    for where in ({"batch_id": batch.batch_id}, {"sha256": {"in": [digest, "0" * 64]}}):
        [found] = (await got(api, "/v1/documents", where=json.dumps(where)))["items"]
        assert found["document_id"] == document_id
        assert (found["batch_id"], found["sha256"]) == (batch.batch_id, digest)
    page = await got(api, "/v1/dead-letters", batch_id=batch.batch_id)
    assert [one["dead_letter_id"] for one in page["items"]] == [letter]
    assert page["items"][0]["batch_id"] == batch.batch_id


async def test_results_are_all_fields_of_all_documents(api: httpx2.AsyncClient, rows: Rows) -> None:
    """More than a page of them, as JSON Lines and as CSV with a column for every field."""
    batch = Batch(rows)
    batch.completed(type="invoice", fields={"total": {"amount": "1.00", "currency": "EUR"}})
    for number in range(2, 260):
        batch.completed(type="letter", fields={"subject": f"=no {number}", "empty": {}})
    batch.entry("failed", "encrypted", problem=PROBLEM)
    path = f"/v1/batches/{batch.batch_id}/results"

    response = await api.get(path)
    assert response.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert [one["ordinal"] for one in lines] == list(range(1, 261))
    assert lines[0]["fields"] == {"total": {"amount": "1.00", "currency": "EUR"}}
    assert lines[-1]["problem"]["code"] == "encrypted"

    response = await api.get(path, params={"format": "csv"}, headers={"Accept": "text/csv"})
    assert response.headers["content-type"].startswith("text/csv")
    table = list(csv.DictReader(io.StringIO(response.text, newline="")))
    assert len(table) == 260
    assert [name for name in table[0] if name.startswith("fields.")] == [
        "fields.subject",
        "fields.total.amount",
        "fields.total.currency",
    ]
    assert table[0]["fields.total.amount"] == "1.00"
    assert table[1]["fields.subject"] == "'=no 2"
    assert table[-1]["problem"] == "encrypted"
    only = await api.get(path, params={"format": "csv", "state": "failed"})
    assert len(only.text.splitlines()) == 2


async def test_results_that_nobody_reads_on_end(api: httpx2.AsyncClient, rows: Rows) -> None:
    """A client that goes away in the middle leaves a gateway that serves the next one."""
    batch = Batch(rows)
    for _ in range(250):
        batch.completed(type="letter", fields={"text": "x" * 20_000})
    path = f"/v1/batches/{batch.batch_id}/results"
    for _ in range(12):
        async with api.stream("GET", path) as response:
            assert response.status_code == 200
            assert await anext(response.aiter_bytes(100))
    whole = await api.get(path)
    assert len(whole.text.splitlines()) == 250

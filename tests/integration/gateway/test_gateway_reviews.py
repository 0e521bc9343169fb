"""Reviews over HTTP: who needs a person, least sure first, and the records of decisions."""

import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from sqlalchemy import delete

from schemas.tables import DOCUMENTS, RUNS
from tests.integration.gateway.conftest import Bearer, Records, Rows


def answer(value: str | None, confidence: float) -> dict[str, Any]:
    evidence = {
        "model_score": 0.9,
        "grounding": "exact",
        "occurrences": 1,
        "ocr_confidence": "unavailable",
        "format_valid": True,
        "checks_passed": 0,
        "checks_failed": 0,
    }
    return {"value": value, "normalised": value, "confidence": confidence, "evidence": evidence}


@pytest.fixture
def waiting(rows: Rows) -> Iterator[list[str]]:
    """Three documents that need a person, the least sure one last; and one that does not."""
    found = list[str]()
    for place, sure in enumerate((0.6, 0.4, 0.2, 0.9)):
        run_id = rows.run_id()
        document_id = rows.document(
            type="receipt",
            run_id=run_id,
            confidence=sure,
            needs_review=sure < 0.8,
            subject="ada" if place == 1 else None,
        )
        fields = {
            "company": answer("Corner Bakery", 0.97),
            "total": answer("3.20", sure),
            "items": [{"price": answer("1.60", 0.5)}],
        }
        rows.add(
            RUNS,
            run_id=run_id,
            document_id=document_id,
            request_id=rows.request_id(),
            number=1,
            status="completed",
            fields=fields,
        )
        found.append(document_id)
    yield found
    with rows.engine.begin() as connection:
        for table in (RUNS, DOCUMENTS):
            connection.execute(delete(table).where(table.c.document_id.in_(found)))


async def test_least_sure_first(api: httpx2.AsyncClient, waiting: list[str]) -> None:
    """Documents, and within each its fields; what is sure is not there at all."""
    answer = await api.get("/v1/reviews")
    assert answer.status_code == 200
    items = answer.json()["items"]
    assert [item["document_id"] for item in items] == [waiting[2], waiting[1], waiting[0]]
    fields = items[0]["fields"]
    assert [field["name"] for field in fields] == ["total", "items.0.price", "company"]
    assert [field["doubtful"] for field in fields] == [True, True, False]


async def test_pages_follow_each_other(api: httpx2.AsyncClient, waiting: list[str]) -> None:
    """Nothing is left out and nothing comes twice; a cursor is of its own query only."""
    seen, cursor = list[str](), None
    while True:
        query = {"limit": 1} if cursor is None else {"limit": 1, "cursor": cursor}
        page = (await api.get("/v1/reviews", params=query)).json()
        seen += [item["review_id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if not page["has_more"]:
            break
        foreign = await api.get("/v1/reviews", params={"cursor": cursor, "type": "invoice"})
        assert foreign.status_code == 400
    assert seen == [waiting[2], waiting[1], waiting[0]]


async def test_an_end_user_sees_their_own(url: str, bearer: Bearer, waiting: list[str]) -> None:
    """And can neither read nor decide another one's."""
    mine = bearer(subject="ada")
    async with httpx2.AsyncClient(base_url=url, headers=mine, trust_env=False) as client:
        items = (await client.get("/v1/reviews")).json()["items"]
        assert [item["document_id"] for item in items] == [waiting[1]]
        path = f"/v1/reviews/{waiting[0]}"
        assert (await client.get(path)).status_code == 404
        decided = await client.post(f"{path}/decision", json={"decision": "accept"})
        assert decided.status_code == 404


async def test_one_review(api: httpx2.AsyncClient, waiting: list[str]) -> None:
    """With its version as ETag; a document that needs nobody has none."""
    found = await api.get(f"/v1/reviews/{waiting[0]}")
    assert found.headers["ETag"] == f'"{found.json()["version"]}"'
    assert (await api.get(f"/v1/reviews/{waiting[3]}")).status_code == 404


async def test_a_decision_is_a_request(
    api: httpx2.AsyncClient, waiting: list[str], records: Records, caller: str
) -> None:
    """It says who decides, and on which run."""
    run_id = (await api.get(f"/v1/reviews/{waiting[0]}")).json()["run_id"]
    asked = await api.post(
        f"/v1/reviews/{waiting[0]}/decision",
        params={"wait_s": 0},
        headers={"If-Match": '"1"'},
        json={"decision": "correct", "fields": {"total": "32.00"}, "note": "a digit was lost"},
    )
    assert asked.status_code == 202
    [record] = records.of("decide-review", waiting[0])
    value = json.loads(record.value() or b"")
    assert value["by"] == caller
    assert (value["reviewed_run"], value["if_version"]) == (run_id, 1)
    assert (value["decision"], value["fields"]) == ("correct", {"total": "32.00"})


@pytest.mark.parametrize(
    "body",
    [
        {"decision": "correct"},
        {"decision": "accept", "fields": {"total": "1"}},
        {"decision": "reject", "type": "invoice"},
        {"decision": "perhaps"},
        {"decision": "accept", "by": "somebody else"},
    ],
)
async def test_contradictions_are_refused(
    api: httpx2.AsyncClient, waiting: list[str], body: dict[str, Any]
) -> None:
    """Before anything is published."""
    answer = await api.post(f"/v1/reviews/{waiting[0]}/decision", json=body)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == "application/problem+json"

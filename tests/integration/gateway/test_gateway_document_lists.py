"""Lists of documents: conditions, pages and cursors."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from tests.integration.gateway.conftest import Rows

TOTAL = {"amount": "120.50", "currency": "EUR"}


async def listed(api: httpx2.AsyncClient, where: dict[str, Any]) -> set[str]:
    """Returns: the ids that a condition lists."""
    parameters = {"where": json.dumps(where), "limit": "100"}
    response = await api.get("/v1/documents", params=parameters)
    assert response.status_code == 200, response.text
    return {item["document_id"] for item in response.json()["items"]}


@pytest.fixture(scope="module")
def samples(rows: Rows) -> dict[str, str]:
    """Three documents that differ in everything that can be asked for."""
    return {
        "invoice": rows.document(
            type="invoice",
            filename="in_voice-1.pdf",
            content_type="application/pdf",
            confidence=0.9,
            needs_review=False,
            metadata={
                "set": "where",
                "customer": {"name": "ACME GmbH"},
                "tags": ["a", "b"],
                "n": 7,
            },
            fields={
                "total": TOTAL,
                "date": "2026-11-03",
                "lines": [
                    {"amount": {"amount": "20.00", "currency": "EUR"}},
                    {"amount": {"amount": "100.50", "currency": "EUR"}},
                ],
            },
        ),
        "receipt": rows.document(
            type="receipt",
            filename="receipt.png",
            content_type="image/png",
            confidence=0.4,
            needs_review=True,
            metadata={"set": "where", "paid": True, "n": 12.5, "gone": None, 'odd"key': "x"},
            fields={"total": {"amount": "9.99", "currency": "USD"}, "date": "no date"},
        ),
        "failed": rows.document(status="failed", metadata={"set": "where"}),
    }


CASES: list[tuple[dict[str, Any], set[str]]] = [
    ({"type": "invoice"}, {"invoice"}),
    ({"type": {"ne": "invoice"}}, {"receipt", "failed"}),
    ({"type": {"in": ["invoice", "receipt"]}}, {"invoice", "receipt"}),
    ({"type": None}, {"failed"}),
    ({"type": {"exists": True}}, {"invoice", "receipt"}),
    ({"status": "failed"}, {"failed"}),
    ({"needs_review": True}, {"receipt"}),
    ({"confidence": {"gte": 0.4, "lt": 0.9}}, {"receipt"}),
    ({"filename": {"prefix": "in_"}}, {"invoice"}),
    ({"filename": {"contains": "VOICE-1"}}, {"invoice"}),
    ({"filename": {"contains": "%"}}, set()),
    ({"content_type": "image/png"}, {"receipt"}),
    ({"created_at": {"gte": "2020-01-01"}}, {"invoice", "receipt", "failed"}),
    ({"created_at": {"lt": "2020-01-01T00:00:00Z"}}, set()),
    ({"metadata.customer.name": "ACME GmbH"}, {"invoice"}),
    ({"metadata.customer.name": {"contains": "acme g"}}, {"invoice"}),
    ({"metadata.customer.name": {"contains": ".*"}}, set()),
    ({"metadata.customer": {"exists": True}}, {"invoice"}),
    ({"metadata.tags": "b"}, {"invoice"}),
    ({"metadata.tags": {"ne": "b"}}, {"receipt", "failed"}),
    ({"metadata.n": 7}, {"invoice"}),
    ({"metadata.n": {"gt": 7}}, {"receipt"}),
    ({"metadata.n": "7"}, set()),
    ({"metadata.paid": True}, {"receipt"}),
    ({"metadata.gone": {"exists": False}}, {"invoice", "receipt", "failed"}),
    ({"metadata.n": {"in": [7, 12.5]}}, {"invoice", "receipt"}),
    ({'metadata.odd"key': "x"}, {"receipt"}),
    ({"fields.total": {"gte": 100}}, {"invoice"}),
    ({"fields.total": 9.99}, {"receipt"}),
    ({"fields.total.currency": "EUR"}, {"invoice"}),
    ({"fields.lines.amount": 20}, {"invoice"}),
    ({"fields.lines.amount": {"gt": 100, "lte": 100.5}}, {"invoice"}),
    ({"fields.date": {"gte": "2026-11-01"}}, {"invoice"}),
    ({"fields.date": {"lte": "2026-11-03"}}, {"invoice"}),
    ({"fields.date": {"gt": "2026-11-03"}}, set()),
    ({"fields.date": {"prefix": "no"}}, {"receipt"}),
    ({"type": "invoice", "fields.total": {"lt": 100}}, set()),
    ({"metadata.x') OR true --": "x"}, set()),
]


@pytest.mark.parametrize(("where", "expected"), CASES, ids=[json.dumps(case[0]) for case in CASES])
async def test_conditions_list_what_they_say(
    api: httpx2.AsyncClient, samples: dict[str, str], where: dict[str, Any], expected: set[str]
) -> None:
    """Each condition of the query language lists the documents that it holds for."""
    found = await listed(api, {"metadata.set": "where", **where})
    names = {document_id: name for name, document_id in samples.items()}
    assert {names[document_id] for document_id in found} == expected


async def test_pages_go_through_all_once_newest_first(api: httpx2.AsyncClient, rows: Rows) -> None:
    """Cursors lead through a list without gaps or repeats, even where times are equal."""
    moment = datetime(2026, 1, 1, tzinfo=UTC)
    made = [
        rows.document(metadata={"set": "pages"}, created_at=moment + timedelta(seconds=n // 3))
        for n in range(8)
    ]
    where = json.dumps({"metadata.set": "pages"})
    seen, pages, cursor = [], 0, None
    while cursor is not None or not pages:
        parameters = {"where": where, "limit": "3", **({"cursor": cursor} if cursor else {})}
        response = await api.get("/v1/documents", params=parameters)
        body = response.json()
        seen += [item["document_id"] for item in body["items"]]
        assert ("Link" in response.headers) == body["has_more"]
        cursor = body["next_cursor"]
        pages += 1
    assert pages == 3
    assert sorted(seen) == sorted(made)
    assert seen[-3:] == sorted(made[:3], reverse=True)
    first = await api.get("/v1/documents", params={"where": where, "limit": "3"})
    followed = await api.get(first.headers["Link"].split(">")[0].removeprefix("<"))
    assert [item["document_id"] for item in followed.json()["items"]] == seen[3:6]


async def test_a_cursor_belongs_to_its_list(api: httpx2.AsyncClient, rows: Rows) -> None:
    """A cursor under other conditions, or a changed one, is refused."""
    for _ in range(2):
        rows.document(metadata={"set": "cursor"})
    where = json.dumps({"metadata.set": "cursor"})
    body = (await api.get("/v1/documents", params={"where": where, "limit": "1"})).json()
    cursor = body["next_cursor"]
    for parameters in ({"cursor": cursor}, {"where": where, "cursor": cursor[:-2] + "AA"}):
        response = await api.get("/v1/documents", params=parameters)
        assert (response.status_code, response.json()["code"]) == (400, "malformed")

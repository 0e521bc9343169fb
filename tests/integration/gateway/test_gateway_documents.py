"""One document: its timeline, text, fields, chunks and original; changes and deletion."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from gateway.database import Reader, Row
from gateway.errors import Deleted, NotFound
from gateway.principal import Principal
from gateway.queries import documents
from gateway.settings import GatewaySettings
from schemas.tables import CHUNKS, CORRECTIONS, PAGES, RUNS, STEPS
from tests.integration.gateway.conftest import Bearer, Records, Rows
from tests.integration.gateway.test_gateway_uploads import s3

__all__ = ["s3"]

TOTAL = {"amount": "120.50", "currency": "EUR"}


@pytest.fixture(scope="module")
def whole(rows: Rows) -> dict[str, str]:
    """A document with two runs, pages, chunks, steps, a correction and an attachment."""
    document_id, run_id = rows.document(), rows.run_id()
    evidence = {
        "model_score": 0.5,
        "grounding": "exact",
        "occurrences": 1,
        "ocr_confidence": "unavailable",
        "format_valid": True,
        "checks_passed": 0,
        "checks_failed": 0,
    }
    answer = {"value": "EUR 120.50", "normalised": TOTAL, "confidence": 0.9, "evidence": evidence}
    rows.change(document_id, run_id=run_id, page_count=3, version=4, fields={"total": TOTAL})
    rows.document(parent_id=document_id, filename="child.txt")
    for number, name in ((1, rows.run_id()), (2, run_id)):
        rows.add(
            RUNS,
            run_id=name,
            document_id=document_id,
            request_id="r",
            number=number,
            status="completed",
            candidates=[{"type": "invoice", "confidence": 1.0}],
            fields={"total": answer, "lines": [{"amount": answer}]},
        )
    for number, text in enumerate(("first é", "second", "third"), start=1):
        rows.add(
            PAGES, run_id=run_id, number=number, document_id=document_id, text=text, source="text"
        )
    for ordinal in range(30):
        rows.add(
            CHUNKS,
            run_id=run_id,
            ordinal=ordinal,
            document_id=document_id,
            page=1,
            start_offset=ordinal,
            end_offset=ordinal + 1,
            text="x",
        )
    rows.add(
        CORRECTIONS,
        request_id="r2",
        name="total",
        document_id=document_id,
        value=TOTAL,
        machine_value=None,
        corrected_by="key:demo",
    )
    rows.add(
        STEPS,
        run_id=run_id,
        stage="parse",
        part=0,
        document_id=document_id,
        state="done",
        fence=2,
        failures=1,
        finished_at=datetime.now(UTC) + timedelta(seconds=5),
    )
    return {"document_id": document_id, "run_id": run_id}


async def test_a_document_shows_its_timeline(
    api: httpx2.AsyncClient, whole: dict[str, str]
) -> None:
    """Steps come with times, attempts and waits; attachments and links with them."""
    response = await api.get(f"/v1/documents/{whole['document_id']}")
    body = response.json()
    [step] = body["timeline"]
    assert (step["stage"], step["state"], step["attempts"], step["failures"]) == (
        "parse",
        "done",
        2,
        1,
    )
    assert step["duration_ms"] > 1000
    assert [child["filename"] for child in body["attachments"]] == ["child.txt"]
    assert response.headers["ETag"] == '"4"'
    assert body["links"]["text"] == f"/v1/documents/{whole['document_id']}/text"


async def test_text_comes_in_pages_with_offsets_into_the_whole(
    api: httpx2.AsyncClient, whole: dict[str, str]
) -> None:
    """Offsets count characters of all pages joined by a form feed, also behind a cursor."""
    path = f"/v1/documents/{whole['document_id']}/text"
    first = (await api.get(path, params={"limit": "2"})).json()
    rest = (await api.get(path, params={"limit": "2", "cursor": first["next_cursor"]})).json()
    pages = [*first["pages"], *rest["pages"]]
    joined = "first é\fsecond\fthird"
    assert [page["page"] for page in pages] == [1, 2, 3]
    assert [joined[page["start"] : page["end"]] for page in pages] == [
        page["text"] for page in pages
    ]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    last = (await api.get(path, params={"page": "3"})).json()
    assert last["pages"] == pages[2:]


async def test_fields_come_with_evidence_and_corrections(
    api: httpx2.AsyncClient, whole: dict[str, str]
) -> None:
    """The machine's answer stays beside what a person put in its place."""
    body = (await api.get(f"/v1/documents/{whole['document_id']}/fields")).json()
    assert body["values"] == {"total": TOTAL}
    assert body["answers"]["total"]["evidence"]["ocr_confidence"] == "unavailable"
    assert body["answers"]["lines"][0]["amount"]["value"] == "EUR 120.50"
    [correction] = body["corrections"]
    assert (correction["name"], correction["corrected_by"]) == ("total", "key:demo")
    one = await api.get(f"/v1/documents/{whole['document_id']}/fields", params={"names": "lines"})
    assert (list(one.json()["answers"]), one.json()["values"]) == (["lines"], {})


async def test_chunks_and_runs_are_listed(api: httpx2.AsyncClient, whole: dict[str, str]) -> None:
    """Chunks come in order by pages, runs newest first with the current one marked."""
    path = f"/v1/documents/{whole['document_id']}"
    first = (await api.get(f"{path}/chunks")).json()
    second = (await api.get(f"{path}/chunks", params={"cursor": first["next_cursor"]})).json()
    ordinals = [chunk["ordinal"] for chunk in (*first["items"], *second["items"])]
    runs = (await api.get(f"{path}/runs")).json()["items"]
    assert ordinals == list(range(30))
    assert [(run["number"], run["current"]) for run in runs] == [(2, True), (1, False)]


async def test_the_original_comes_back_whole_and_in_part(
    api: httpx2.AsyncClient, rows: Rows, s3: Any, gateway_settings: GatewaySettings
) -> None:
    """Ranges, If-Range and headers that let no browser run it."""
    content = bytes(range(256)) * 100
    key = "demo/documents/x/original"
    await s3.put_object(Bucket=gateway_settings.s3_bucket, Key=key, Body=content)
    document_id = rows.document(
        s3_key=key, sha256="ab", filename='Bü"ro\r\n.html', content_type="text/html"
    )
    path = f"/v1/documents/{document_id}/content"
    full = await api.get(path)
    part = await api.get(path, headers={"Range": "bytes=10-19", "If-Range": '"ab"'})
    tail = await api.get(path, headers={"Range": "bytes=-6"})
    stale = await api.get(path, headers={"Range": "bytes=0-1", "If-Range": '"other"'})
    many = await api.get(path, headers={"Range": "bytes=0-1,4-5"})
    behind = await api.get(path, headers={"Range": "bytes=99999-"})
    assert full.content == content
    assert full.headers["Content-Disposition"].startswith("attachment; filename=")
    assert full.headers["X-Content-Type-Options"] == "nosniff"
    assert (part.status_code, part.content) == (206, content[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{len(content)}"
    assert tail.content == content[-6:]
    assert [answer.status_code for answer in (stale, many, behind)] == [200, 200, 416]


async def test_a_deleted_document_is_gone_for_every_call(
    api: httpx2.AsyncClient, rows: Rows
) -> None:
    """Behind its tombstone a document is 404 with the code deleted, and in no list."""
    document_id = rows.document(metadata={"set": "gone"}, deleted_at=datetime.now(UTC))
    path = f"/v1/documents/{document_id}"
    for part in ("", "/text", "/fields", "/chunks", "/runs", "/content"):
        response = await api.get(path + part)
        assert (response.status_code, response.json()["code"]) == (404, "deleted")
    assert (await api.delete(path)).status_code == 404
    assert (await api.post(f"{path}/reprocess")).status_code == 404
    gone = await api.get("/v1/documents", params={"where": '{"metadata.set": "gone"}'})
    assert gone.json()["items"] == []


async def test_another_tenants_document_is_unknown(url: str, bearer: Bearer, rows: Rows) -> None:
    """With another tenant's key nothing of this one's is found, listed, or changed."""
    document_id = rows.document(metadata={"set": "tenant"})
    async with httpx2.AsyncClient(base_url=url, headers=bearer(gpt_id="other")) as client:
        path = f"/v1/documents/{document_id}"
        answers = [await client.get(path + part) for part in ("", "/text", "/content", "/fields")]
        answers += [await client.delete(path), await client.patch(path, json={"title": "x"})]
        everything = (await client.get("/v1/documents")).json()["items"]
    assert {answer.status_code for answer in answers} == {404}
    assert everything == []


async def test_a_document_deleted_before_it_is_stored_is_gone_for_who_deleted_it(
    url: str, bearer: Bearer, rows: Rows, records: Records
) -> None:
    """Whose it is, is not known yet: for all others it is still to come."""
    document_id = rows.ids.mint("doc", rows.gpt_id)
    path = f"/v1/documents/{document_id}"
    rows.settle(rows.request_id(), kind="delete-document", subject="ada", document_id=document_id)
    seen = {}
    for subject in ("ada", "bob", None):
        mine = bearer(rows.gpt_id, subject=subject)
        async with httpx2.AsyncClient(base_url=url, headers=mine) as client:
            found = [await client.get(path), await client.delete(f"{path}?wait_s=0")]
            seen[subject] = [answer.status_code for answer in found]
            assert found[0].json().get("code") == ("deleted" if subject == "ada" else None)
    assert seen == {"ada": [404, 404], "bob": [200, 202], None: [200, 202]}
    assert len(records.of("delete-document", document_id)) == 2


class CountingReader(Reader):
    """It counts what it is asked."""

    statements = 0

    async def rows(self, *given: Any) -> Sequence[Row]:
        self.statements += 1
        return await super().rows(*given)


async def test_asking_for_a_document_is_one_statement(
    gateway_settings: GatewaySettings, rows: Rows
) -> None:
    """Whoever asks, and whether it is stored, another one's, deleted, deleted early, or to come."""
    stored, early = rows.document(subject="ada"), rows.ids.mint("doc", rows.gpt_id)
    nobodys, gone = rows.document(), rows.document(subject="ada", deleted_at=datetime.now(UTC))
    for deleted, by in ((early, "ada"), (stored, "eve")):
        request_id = rows.request_id()
        rows.settle(request_id, kind="delete-document", subject=by, document_id=deleted)
    asked = {
        "stored": stored,
        "early": early,
        "nobodys": nobodys,
        "gone": gone,
        "to come": rows.ids.mint("doc", rows.gpt_id),
    }
    reader = CountingReader(gateway_settings)
    told: dict[str | None, dict[str, str]] = {}
    for subject in ("ada", "bob", "eve", None):
        caller = Principal(rows.gpt_id, subject, "key", frozenset({"read"}), None)
        told[subject] = {}
        for name, document_id in asked.items():
            try:
                found = await documents.find(reader, caller, document_id)
            except (Deleted, NotFound) as error:
                told[subject][name] = type(error).__name__
            else:
                told[subject][name] = "none" if found is None else "row"
    await reader.close()
    hidden = dict.fromkeys(("stored", "nobodys", "gone"), "NotFound")
    to_come = dict.fromkeys(("early", "to come"), "none")
    assert told == {
        "ada": {
            "stored": "row",
            "early": "Deleted",
            "nobodys": "NotFound",
            "gone": "Deleted",
            "to come": "none",
        },
        "bob": {**hidden, **to_come},
        "eve": {**hidden, **to_come, "stored": "Deleted"},
        None: {"stored": "row", "nobodys": "row", "gone": "Deleted", **to_come},
    }
    assert reader.statements == len(told) * len(asked)


async def test_an_end_users_request_is_nobody_elses_key(url: str, bearer: Bearer) -> None:
    """Who sends its id as an idempotency key asks for something of their own."""
    async with httpx2.AsyncClient(base_url=url, timeout=30) as client:
        ada, bob = ({"headers": bearer(subject=one), "json": {}} for one in ("ada", "bob"))
        first = (await client.post("/v1/pings?wait_s=0", **ada)).json()["request_id"]
        repeat = f"/v1/pings?wait_s=0&idempotency_key={first}"
        again, other = [(await client.post(repeat, **one)).json() for one in (ada, bob)]
    assert again["request_id"] == first
    assert other["request_id"] != first


async def test_changes_publish_one_record_each(
    api: httpx2.AsyncClient, rows: Rows, records: Records, caller: str
) -> None:
    """Corrections, deletion and reprocessing are records keyed by the document."""
    document_id = rows.document()
    path = f"/v1/documents/{document_id}"
    await api.patch(f"{path}?wait_s=0", json={"fields": {"total": None}, "if_version": 3})
    await api.delete(f"{path}?wait_s=0")
    await api.post(f"{path}/reprocess", json={"type": "letter", "from_stage": "extract"})
    [update] = records.of("update-document", document_id)
    [deletion] = records.of("delete-document", document_id)
    [again] = records.of("reprocess-document", document_id)
    changed = json.loads(update.value())
    assert (changed["fields"], changed["if_version"], changed["by"]) == (
        {"total": None},
        3,
        caller,
    )
    assert json.loads(deletion.value()) == {"document_id": document_id}
    wanted = json.loads(again.value())
    assert (wanted["type"], wanted["from_stage"]) == ("letter", "extract")
    late = await api.post(f"{path}/reprocess", json={"type": "letter", "from_stage": "index"})
    assert late.status_code == 422


@pytest.mark.parametrize(
    ("body", "sent", "pointer"),
    [
        ({}, {}, ""),
        ({"title": None}, {}, ""),
        ({"title": "x", "nope": 1}, {}, "/nope"),
        ({"title": "x" * 513}, {}, "/title"),
        ({"title": "x", "if_version": 2}, {"If-Match": '"3"'}, "/if_version"),
        ({"title": "x"}, {"If-Match": "W/3"}, "/header/If-Match"),
        ({"metadata": {"a": "\0"}}, {}, "/metadata"),
    ],
)
async def test_a_wrong_change_is_refused_at_once(
    api: httpx2.AsyncClient,
    rows: Rows,
    body: dict[str, Any],
    sent: dict[str, str],
    pointer: str,
) -> None:
    """What no worker could do is 422 with a pointer."""
    response = await api.patch(f"/v1/documents/{rows.document()}", json=body, headers=sent)
    assert response.status_code == 422, response.text
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]

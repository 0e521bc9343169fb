"""A document's whole life over HTTP: in, read, found, changed, run again, gone."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import SAMPLES, Until, Upload

INVOICE = "invoice-harbour-foods.pdf"


@pytest.fixture(scope="module")
def invoice(upload: Upload) -> dict[str, Any]:
    """A sample invoice that has been through the pipeline."""
    content = (SAMPLES / INVOICE).read_bytes()
    metadata = json.dumps({"suite": uuid.uuid4().hex})
    return upload(INVOICE, content, title="An order of bowls", metadata=metadata)


def test_a_document_is_read(invoice: dict[str, Any]) -> None:
    """Its type and fields are the sample's true ones."""
    truth = json.loads((SAMPLES / INVOICE).with_suffix(".json").read_text())

    assert invoice["status"] == "completed"
    assert invoice["type"] == truth["type"]
    assert invoice["fields"]["invoice_number"] == truth["fields"]["invoice_number"]["value"]
    assert invoice["fields"]["total"] == truth["fields"]["total"]["normalised"]
    assert len(invoice["fields"]["lines"]) == len(truth["fields"]["lines"])


def test_the_timeline_tells_each_step(invoice: dict[str, Any]) -> None:
    """Every stage ended once, at the first attempt, and says when."""
    steps = {step["stage"]: step for step in invoice["timeline"]}

    expected = ["receive", "parse", "classify", "extract", "index", "complete"]
    assert [name for name in steps if name in expected] == expected
    assert {steps[name]["state"] for name in expected} == {"done"}
    assert {steps[name]["failures"] for name in expected} == {0}


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
def test_completed_means_found(api: httpx2.Client, invoice: dict[str, Any], mode: str) -> None:
    """As soon as a document is completed, every mode of search finds it."""
    where = {"metadata.suite": invoice["metadata"]["suite"]}
    query = {"q": "stainless mixing bowl", "mode": mode, "where": where}
    found = api.post("/v1/search", json=query).json()

    assert invoice["document_id"] in {item["document_id"] for item in found["items"]}
    assert found["notices"] == []


def test_search_filters_by_extracted_fields(api: httpx2.Client, invoice: dict[str, Any]) -> None:
    """One query language reaches fields, types and metadata."""
    suite = invoice["metadata"]["suite"]
    where: dict[str, Any] = {"type": "invoice", "metadata.suite": suite}
    where["fields.total"] = {"gte": 810, "lt": 811}
    inside = api.post("/v1/search", json={"q": "bowl", "where": where}).json()
    where["fields.total"] = {"gt": 811}
    outside = api.post("/v1/search", json={"q": "bowl", "where": where}).json()

    document_id = invoice["document_id"]
    assert document_id in {item["document_id"] for item in inside["items"]}
    assert document_id not in {item["document_id"] for item in outside["items"]}


def test_text_and_places_agree(api: httpx2.Client, invoice: dict[str, Any]) -> None:
    """A field's place is where its value stands in the text."""
    path = f"/v1/documents/{invoice['document_id']}"
    pages = {page["page"]: page["text"] for page in api.get(f"{path}/text").json()["pages"]}
    answers = api.get(f"{path}/fields").json()["answers"]

    place = answers["invoice_number"]["place"]
    text = pages[place["page"]][place["start"] : place["end"]]
    assert text == answers["invoice_number"]["value"]


def test_the_original_comes_back(api: httpx2.Client, invoice: dict[str, Any]) -> None:
    """The stored bytes are the ones that were sent, whole and in ranges."""
    sent = (SAMPLES / INVOICE).read_bytes()
    path = f"/v1/documents/{invoice['document_id']}/content"

    whole = api.get(path)
    part = api.get(path, headers={"Range": "bytes=5-9"})

    assert whole.content == sent
    assert (part.status_code, part.content) == (206, sent[5:10])


def test_the_same_bytes_again_are_flagged(upload: Upload, invoice: dict[str, Any]) -> None:
    """A repeat within the tenant is taken in, and says of what it is a duplicate."""
    again = upload("another-name.pdf", (SAMPLES / INVOICE).read_bytes())

    assert again["status"] == "completed"
    assert again["duplicate_of"] is not None
    assert again["document_id"] != invoice["document_id"]


def test_attachments_become_documents(upload: Upload, api: httpx2.Client, until: Until) -> None:
    """A mail's attachment is a document of its own, under the mail."""
    name = "mail-with-invoice.eml"
    mail = upload(name, (SAMPLES / name).read_bytes())

    def child() -> dict[str, Any] | None:
        items: list[dict[str, Any]] = api.get("/v1/documents", params={"limit": 100}).json()[
            "items"
        ]
        return next(
            (
                item
                for item in items
                if item["parent_id"] == mail["document_id"] and item["status"] == "completed"
            ),
            None,
        )

    assert until(child)["type"] == "invoice"


def test_corrections_stand_beside_the_answer(
    api: httpx2.Client, upload: Upload, until: Until
) -> None:
    """A corrected field is the effective one, the machine's answer stays, search follows."""
    document = upload(
        "note.txt", b"Invoice No. X-1\nDate: 2 March 2026\nTotal 12.00", type="invoice"
    )
    path = f"/v1/documents/{document['document_id']}"

    answer = api.patch(path, json={"fields": {"supplier": "Quillfeather Ltd"}})
    fields = api.get(f"{path}/fields").json()

    assert answer.status_code == 200, answer.text
    assert api.get(path).json()["fields"]["supplier"] == "Quillfeather Ltd"
    assert fields["answers"]["supplier"]["value"] != "Quillfeather Ltd"
    [correction] = fields["corrections"]
    assert correction["value"] == "Quillfeather Ltd"
    where = {"fields.supplier": "Quillfeather Ltd"}

    def found() -> bool | None:
        items = api.post("/v1/search", json={"q": "invoice", "where": where}).json()["items"]
        return True if items else None

    assert until(found)


def test_a_stale_version_is_refused(api: httpx2.Client, upload: Upload) -> None:
    """`if_version` of an older version is answered with 412, and changes nothing."""
    document = upload("plain.txt", b"A few words to be changed under a version.")
    path = f"/v1/documents/{document['document_id']}"

    answer = api.patch(path, json={"title": "New", "if_version": document["version"] - 1})

    assert answer.status_code == 412
    assert answer.json()["code"] == "version_conflict"
    assert api.get(path).json()["title"] is None


def test_reprocessing_is_a_new_run(
    api: httpx2.Client, upload: Upload, until: Callable[..., Any]
) -> None:
    """The second run replaces the first one's answer; the timeline has both."""
    document = upload(
        "again.txt", b"Dear Ms Example,\nthis is a letter.\nYours sincerely,\nA. Writer"
    )
    path = f"/v1/documents/{document['document_id']}"
    api.post(f"{path}/reprocess", json={"type": "invoice"}).raise_for_status()

    def second() -> dict[str, Any] | None:
        now: dict[str, Any] = api.get(path).json()
        changed = now["run_id"] != document["run_id"] and now["status"] == "completed"
        return now if changed else None

    now = until(second)
    assert now["type"] == "invoice"
    assert {document["run_id"], now["run_id"]} <= {step["run_id"] for step in now["timeline"]}


def test_a_deleted_document_is_gone(api: httpx2.Client, upload: Upload, until: Until) -> None:
    """Neither the document nor its content nor a search finds it any more."""
    word = "zwieselquarz"
    document = upload("secret.txt", f"The word is {word}.".encode())
    path = f"/v1/documents/{document['document_id']}"

    deleted = api.delete(path)

    assert deleted.status_code in {200, 202}, deleted.text
    assert until(lambda: True if api.get(path).status_code == 404 else None)
    assert api.get(f"{path}/content").status_code == 404
    assert api.get("/v1/search", params={"q": word, "mode": "keyword"}).json()["items"] == []


def test_a_tenants_own_type_needs_no_code(api: httpx2.Client, upload: Upload) -> None:
    """A type that is put is tried on a document, and then read by."""
    definition = {
        "name": "delivery_note",
        "title": "Delivery note",
        "version": 1,
        "description": "A slip that goes with goods and lists what was delivered.",
        "examples": ["Delivery note DN-7, delivered on 4 May 2026, 3 parcels"],
        "fields": {
            "type": "object",
            "properties": {
                "note_number": {
                    "type": "string",
                    "description": "The number of the delivery note.",
                    "x-kind": "identifier",
                    "x-labels": ["delivery note no"],
                },
                "delivered_on": {
                    "type": "string",
                    "description": "The day of the delivery.",
                    "x-kind": "date",
                    "x-labels": ["delivered on"],
                },
            },
            "required": ["note_number"],
        },
    }
    stored = api.put("/v1/document-types/delivery_note", json=definition)
    assert stored.status_code in {200, 201}, stored.text
    text = b"Delivery note no: DN-7781\nDelivered on: 4 May 2026\n3 parcels, 1 pallet"
    document = upload("slip.txt", text, type="delivery_note")

    assert document["fields"] == {"note_number": "DN-7781", "delivered_on": "2026-05-04"}
    tried = api.post(
        "/v1/document-types/delivery_note/try", json={"document_id": document["document_id"]}
    ).json()
    assert tried["result"]["fields"]["note_number"]["value"] == "DN-7781"


def test_a_ping_goes_through_everything(api: httpx2.Client) -> None:
    """Gateway, broker, worker, ledger and database answer in one round trip."""
    answer = api.post("/v1/pings", json={"note": "hello"}).json()

    assert (answer["status"], answer["result"]) == ("completed", {"note": "hello"})

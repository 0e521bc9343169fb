"""Types of documents: built in and a tenant's own, checked and tried."""

import json
from typing import Any

import httpx2

from schemas.tables import DOCUMENT_TYPES
from tests.integration.gateway.conftest import Records, Rows


async def test_own_types_go_before_built_in_ones(api: httpx2.AsyncClient, rows: Rows) -> None:
    """A tenant's type is listed beside the built-in ones and replaces one of its name."""
    built_in = (await api.get("/v1/document-types/letter")).json()
    definition = {**built_in["definition"], "title": "Our letters"}
    rows.add(DOCUMENT_TYPES, name="letter", version=3, definition=definition)
    listed_types = (await api.get("/v1/document-types")).json()["items"]
    [letter] = [one for one in listed_types if one["name"] == "letter"]
    assert built_in["source"] == "built-in"
    assert (letter["title"], letter["version"], letter["source"]) == ("Our letters", 3, "own")
    assert (await api.get("/v1/document-types/letter")).json()["definition"] == definition
    assert (await api.get("/v1/document-types/nothing_such")).status_code == 404


async def test_a_type_is_checked_before_it_is_published(
    api: httpx2.AsyncClient, records: Records
) -> None:
    """A wrong definition is 422 with a pointer to each key; a right one becomes a record."""
    definition: dict[str, Any] = {
        "title": "Delivery note",
        "description": "Goods that were delivered.",
        "fields": {
            "properties": {
                "number": {"type": "string", "description": "Its number.", "x-kind": "identifier"}
            }
        },
    }
    path = "/v1/document-types/delivery_note?wait_s=0"
    broken = {**definition, "titel": "x", "fields": {"properties": {"number": {"type": "string"}}}}
    refused = await api.put(path, json=broken)
    taken = await api.put(path, json=definition)
    [record] = records.of("put-document-type", "demo/delivery_note")
    pointers = {error["pointer"] for error in refused.json()["errors"]}
    assert refused.status_code == 422
    assert pointers >= {"/titel", "/fields/properties/number/description"}
    assert taken.status_code == 202
    assert json.loads(record.value())["definition"]["name"] == "delivery_note"


async def test_a_type_can_be_tried_on_a_document(
    api: httpx2.AsyncClient, rows: Rows, records: Records
) -> None:
    """Trying needs a known type or a definition, and a document that is there."""
    document_id = rows.document()
    path = "/v1/document-types/{}/try?wait_s=0"
    body = {"document_id": document_id}
    taken = await api.post(path.format("invoice"), json=body)
    unknown = await api.post(path.format("nothing_such"), json=body)
    forged = await api.post(path.format("invoice"), json={"document_id": "doc_x"})
    wrong = await api.post(path.format("mine"), json={**body, "definition": {"title": 1}})
    assert taken.status_code == 202
    assert len(records.of("try-document-type", document_id)) == 1
    assert (unknown.status_code, forged.status_code) == (404, 404)
    assert "/definition/title" in {error["pointer"] for error in wrong.json()["errors"]}

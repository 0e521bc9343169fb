"""A document that the machine is not sure of, until a person has decided on it."""

import json
import uuid
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import Until, Upload
from tests.e2e.test_command_line import actionstream


@pytest.fixture
def doubtful(upload: Upload) -> dict[str, Any]:
    """A receipt without what a receipt must have."""
    text = f"Corner Bakery\nThank you for your visit, {uuid.uuid4().hex}\nCome again\n"
    document = upload("receipt.txt", text.encode(), type="receipt")
    assert document["needs_review"], document
    return document


def test_a_person_corrects_what_was_doubtful(
    api: httpx2.Client, doubtful: dict[str, Any], until: Until
) -> None:
    """From the queue by a command to the field, the search, the event, and off the queue."""
    document_id = doubtful["document_id"]
    listed = json.loads(actionstream("reviews", "list", "--limit", "100", "--json").stdout)
    sure = [item["confidence"] for item in listed["items"]]
    assert sure == sorted(sure)
    assert document_id in {item["document_id"] for item in listed["items"]}
    shown = actionstream("reviews", "show", document_id)
    assert "total" in shown.stdout
    done = actionstream("reviews", "correct", document_id, "company=Crumb & Sons", "--note", "sign")
    assert done.returncode == 0, done.stderr
    fields = api.get(f"/v1/documents/{document_id}/fields").json()
    assert fields["values"]["company"] == "Crumb & Sons"
    assert not fields["needs_review"]
    assert [each["name"] for each in fields["corrections"]] == ["company"]
    assert api.get(f"/v1/reviews/{document_id}").status_code == 404

    def found() -> bool | None:
        body = {"q": "Corner Bakery", "where": {"fields.company": "Crumb & Sons"}}
        hits = api.post("/v1/search", json=body).json()["items"]
        return document_id in {hit["document_id"] for hit in hits} or None

    until(found)


def test_what_was_found_is_accepted_once(doubtful: dict[str, Any]) -> None:
    """The second decision says that there is nothing to decide."""
    document_id = doubtful["document_id"]
    assert actionstream("reviews", "accept", document_id).returncode == 0
    again = actionstream("reviews", "reject", document_id)
    assert again.returncode == 1
    assert "needs no review" in again.stderr

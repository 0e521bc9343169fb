"""Memory by meaning through the whole product: written by HTTP, found by what it is about."""

import uuid
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import Until

NOTES = {
    "monday": "Lay awake until four, counting the cracks in the ceiling.",
    "tuesday": "The tomatoes are finally red; slugs ate the lettuce.",
    "wednesday": "My supervisor moved the deadline forward without asking us.",
}


@pytest.fixture(scope="module")
def diary(api: httpx2.Client) -> str:
    """A collection whose notes are found; returns the path of its objects by key."""
    name = f"diary-{uuid.uuid4().hex[:8]}"
    search = {"fields": ["/text"]}
    made = api.post("/v1/gpts/demo/collections", json={"name": name, "search": search})
    assert made.status_code == 201, made.text
    path = f"/v1/gpts/demo/collections/{name}/objects/by-key"
    for key, text in NOTES.items():
        put = api.put(f"{path}/{key}", json={"body": {"text": text, "mood": len(key)}})
        assert put.status_code == 201, put.text
    return path


def test_notes_are_found_by_meaning_changed_and_forgotten(
    api: httpx2.Client, diary: str, until: Until
) -> None:
    """A word that no note has finds the right one; a change is found, what is deleted is not."""
    place = f"collections/{diary.split('/')[5]}"

    def keys(q: str, **more: Any) -> list[str]:
        asked = {"q": q, "in": [place], **more}
        items = api.post("/v1/search", json=asked).raise_for_status().json()["items"]
        return [hit["key"] for hit in items]

    until(lambda: True if len(keys("a day")) == len(NOTES) else None)
    assert keys("insomnia, could not sleep")[0] == "monday"
    assert keys("growing vegetables in the garden")[0] == "tuesday"
    assert keys("a day", where={"mood": {"gt": 7}}) == ["wednesday"]

    changed = {"body": {"text": "We adopted a puppy from the shelter.", "mood": 9}}
    assert api.put(f"{diary}/tuesday", json=changed).status_code == 200
    until(lambda: True if keys("a young dog")[:1] == ["tuesday"] else None)
    assert "tuesday" not in keys("tomatoes", mode="keyword")

    assert api.delete(f"{diary}/monday").status_code in {200, 204}
    assert "monday" not in keys("insomnia, could not sleep")

"""What changed in a collection, and the versions of its objects."""

from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest

from schemas.tables import OBJECT_VERSIONS
from tests.integration.gateway.conftest import Rows
from tests.integration.gateway.test_gateway_objects import Shelf


@pytest.fixture
def shelf(rows: Rows) -> Shelf:
    """An empty collection."""
    return Shelf(rows)


async def test_changes_come_once_in_their_order(api: httpx2.AsyncClient, shelf: Shelf) -> None:
    """Each object at the place of its last change; deleted ones without a body."""
    first, second, third = (shelf.put({"n": n}, key=f"k{n}") for n in range(3))
    shelf.change(first, sequence=4, version=2)
    shelf.change(third, sequence=5, version=2, body={}, deleted_at=datetime.now(UTC))
    shelf.pretend(sequence=5)
    page = (await api.get(f"{shelf.path}/changes")).json()
    assert [(one["id"], one["change"], one["sequence"]) for one in page["items"]] == [
        (second, "created", 2),
        (first, "updated", 4),
        (third, "deleted", 5),
    ]
    assert page["items"][2]["object"] is None
    assert page["items"][0]["object"] == (await api.get(f"/v1/objects/{second}")).json()
    assert (page["next_since"], page["has_more"], page["latest"]) == (5, False, 5)
    one = (await api.get(f"{shelf.path}/changes", params={"since": 2, "limit": 1})).json()
    assert [each["id"] for each in one["items"]] == [first]
    assert (one["next_since"], one["has_more"]) == (4, True)
    end = (await api.get(f"{shelf.path}/changes", params={"since": 5})).json()
    assert end == {"items": [], "next_since": 5, "has_more": False, "latest": 5}


async def test_what_came_with_a_later_version_or_came_back_is_created(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """As the facts on the topic call it; the next change of it is an update."""
    shelf.put({}, version=3, first_version=3)
    shelf.put({}, version=4, first_version=3)
    shelf.put({}, version=2)
    shelf.pretend(sequence=3)
    page = (await api.get(f"{shelf.path}/changes")).json()
    assert [each["change"] for each in page["items"]] == ["created", "updated", "updated"]


@pytest.mark.parametrize("since", [3, 11])
async def test_who_missed_tombstones_is_told(
    api: httpx2.AsyncClient, shelf: Shelf, since: int
) -> None:
    """A number before forgotten deletions, or of an earlier collection of that name, is 410."""
    shelf.pretend(sequence=10, forgotten_sequence=4)
    answer = await api.get(f"{shelf.path}/changes", params={"since": since})
    assert (answer.status_code, answer.json()["code"]) == (410, "changes_expired")
    for known in (0, 4, 10):
        answer = await api.get(f"{shelf.path}/changes", params={"since": known})
        assert answer.json()["next_since"] == 10


async def test_versions_are_listed_and_read(api: httpx2.AsyncClient, shelf: Shelf) -> None:
    """The present one and those before it, newest first; of a deleted object those before."""
    object_id = shelf.put({"n": 3}, version=3)
    for version in (1, 2):
        values: dict[str, Any] = {
            "object_id": object_id,
            "version": version,
            "collection_id": shelf.collection_id,
            "body": {"n": version},
            "size_bytes": 7,
            "written_at": datetime(2026, 11, version, tzinfo=UTC),
        }
        shelf.rows.add(OBJECT_VERSIONS, **values)
    found = (await api.get(f"/v1/objects/{object_id}/versions")).json()
    assert [(one["version"], one["current"]) for one in found["items"]] == [
        (3, True),
        (2, False),
        (1, False),
    ]
    second = await api.get(f"/v1/objects/{object_id}/versions/2")
    assert second.json() == {
        "id": object_id,
        "collection": shelf.name,
        "version": 2,
        "size_bytes": 7,
        "written_at": "2026-11-02T00:00:00.000000Z",
        "current": False,
        "body": {"n": 2},
    }
    shelf.change(object_id, version=4, deleted_at=datetime.now(UTC), body={})
    after = (await api.get(f"/v1/objects/{object_id}/versions")).json()
    assert after["deleted"]
    assert [one["version"] for one in after["items"]] == [2, 1]
    assert (await api.get(f"/v1/objects/{object_id}/versions/9")).status_code == 404

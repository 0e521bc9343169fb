"""Objects over HTTP: one, and pages of them, as ready JSON."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from sqlalchemy import update

from gateway.queries.object_pages import PAGE_CHARS
from schemas.ids import COLLECTION, OBJECT
from schemas.tables import COLLECTIONS, OBJECTS
from tests.integration.gateway.conftest import Bearer, Rows

BEGAN = datetime(2026, 11, 1, 8, 0, 0, 123456, tzinfo=UTC)


@dataclass
class Shelf:
    """A collection whose rows the test writes itself."""

    rows: Rows
    name: str = field(default_factory=lambda: f"c{uuid4().hex[:12]}")
    count: int = 0

    def __post_init__(self) -> None:
        self.collection_id = self.rows.ids.mint(COLLECTION, self.rows.gpt_id)
        self.rows.add(COLLECTIONS, collection_id=self.collection_id, name=self.name)

    @property
    def path(self) -> str:
        return f"/v1/gpts/{self.rows.gpt_id}/collections/{self.name}"

    def put(self, body: dict[str, Any], **values: Any) -> str:
        self.count += 1
        object_id = self.rows.ids.mint(OBJECT, self.rows.gpt_id)
        moment = BEGAN + timedelta(microseconds=self.count)
        given = {
            "object_id": object_id,
            "collection_id": self.collection_id,
            "body": body,
            "size_bytes": len(str(body)),
            "sequence": self.count,
            "created_at": moment,
            "updated_at": moment,
            **values,
        }
        self.rows.add(OBJECTS, **given)
        return object_id

    def declare(self, indexes: dict[str, Any], *, ready: bool) -> None:
        self.pretend(indexes=indexes, shape=2, shaped=2 if ready else 1)

    def pretend(self, **values: Any) -> None:
        statement = update(COLLECTIONS).where(COLLECTIONS.c.collection_id == self.collection_id)
        with self.rows.engine.begin() as connection:
            connection.execute(statement.values(**values))

    def change(self, object_id: str, **values: Any) -> None:
        statement = update(OBJECTS).where(OBJECTS.c.object_id == object_id)
        with self.rows.engine.begin() as connection:
            connection.execute(statement.values(**values))


@pytest.fixture
def shelf(rows: Rows) -> Shelf:
    """An empty collection."""
    return Shelf(rows)


async def test_an_object_is_answered_with_its_etag(api: httpx2.AsyncClient, shelf: Shelf) -> None:
    """All its fields are there, times in UTC with microseconds, and its version is the ETag."""
    object_id = shelf.put({"mood": "good"}, key='1 "quoted"', version=7)
    answer = await api.get(f"/v1/objects/{object_id}")
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"7"'
    assert answer.json() == {
        "id": object_id,
        "gpt_id": shelf.rows.gpt_id,
        "collection": shelf.name,
        "key": '1 "quoted"',
        "subject": None,
        "version": 7,
        "size_bytes": 16,
        "created_at": "2026-11-01T08:00:00.123457Z",
        "updated_at": "2026-11-01T08:00:00.123457Z",
        "expires_at": None,
        "body": {"mood": "good"},
    }
    by_key = await api.get(f"{shelf.path}/objects/by-key/1%20%22quoted%22")
    assert by_key.json() == answer.json()


async def test_a_key_means_the_object_of_its_caller(
    api: httpx2.AsyncClient, shelf: Shelf, bearer: Bearer
) -> None:
    """Each end user's own; without an end user the one that belongs to none, or nothing."""
    path = f"{shelf.path}/objects/by-key/k"
    hers, his = shelf.put({}, key="k", subject="ann"), shelf.put({}, key="k", subject="bob")
    assert (await api.get(path)).json()["code"] == "not_found"
    own = shelf.put({}, key="k")
    for headers, object_id in (
        ({}, own),
        (bearer(subject="ann"), hers),
        (bearer(subject="bob"), his),
    ):
        assert (await api.get(path, headers=headers)).json()["id"] == object_id
    assert (await api.get(path, headers=bearer(subject="eve"))).status_code == 404


async def everything(
    api: httpx2.AsyncClient, shelf: Shelf, **parameters: Any
) -> list[dict[str, Any]]:
    """Returns: the objects of all pages of a list."""
    found: list[dict[str, Any]] = []
    path: str | None = f"{shelf.path}/objects"
    while path is not None:
        answer = await api.get(path, params=parameters or None)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        assert len(page["items"]) >= 1 or not page["has_more"]
        found += page["items"]
        assert (page["next_cursor"] is not None) == page["has_more"] == ("link" in answer.headers)
        link = answer.headers.get("link")
        path, parameters = (link[1 : link.index(">")] if link else None), {}
    return found


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_go_through_all_once_in_order(
    api: httpx2.AsyncClient, shelf: Shelf, order: str
) -> None:
    """Following the links gives each object once, in the order of creation or against it."""
    ids = [shelf.put({"n": n}) for n in range(23)]
    found = await everything(api, shelf, limit=5, order=order)
    assert [one["id"] for one in found] == (ids if order == "asc" else ids[::-1])
    assert [one["body"]["n"] for one in found] == sorted(range(23), reverse=order == "desc")


async def test_a_page_ends_before_it_is_too_long_for_a_gpt(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """Large objects end a page early, but it has at least one; trimmed ones are short again."""
    texts = ["x" * 40_000, "small", "y" * 40_000, "z" * 40_000, "w" * 120_000]
    ids = [shelf.put({"n": n, "text": text}, size_bytes=len(text)) for n, text in enumerate(texts)]
    first = await api.get(f"{shelf.path}/objects")
    assert [one["id"] for one in first.json()["items"]] == ids[:3]
    assert first.json()["has_more"]
    assert len(first.text) < PAGE_CHARS + 1000
    found = await everything(api, shelf)
    assert [(one["id"], one["body"]["text"]) for one in found] == [*zip(ids, texts, strict=True)]
    short = await api.get(f"{shelf.path}/objects", params={"fields": "n"})
    assert [one["body"] for one in short.json()["items"]] == [{"n": n} for n in range(5)]


async def test_what_is_deleted_or_past_its_time_is_not_there(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """Neither in lists, nor by id, nor by key."""
    past, now = datetime(2020, 1, 1, tzinfo=UTC), datetime.now(UTC)
    gone = [shelf.put({}, key="a", expires_at=past), shelf.put({}, key="b", deleted_at=now)]
    kept = shelf.put({}, key="c", expires_at=now + timedelta(days=1))
    assert [one["id"] for one in await everything(api, shelf)] == [kept]
    for object_id, key in zip(gone, "ab", strict=True):
        for path in (f"/v1/objects/{object_id}", f"{shelf.path}/objects/by-key/{key}"):
            answer = await api.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_a_collection_that_is_not_there_is_not_found(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """A list of its objects is not empty but 404; an empty collection's is empty."""
    empty = await api.get(f"{shelf.path}/objects", params={"count": "true"})
    assert empty.json() == {
        "items": [],
        "next_cursor": None,
        "has_more": False,
        "total": 0,
        "total_is": "exact",
    }
    missing = await api.get(f"{shelf.path}x/objects")
    assert (missing.status_code, missing.json()["code"]) == (404, "not_found")


FILTERS: list[tuple[dict[str, Any], str]] = [
    ({"mood": "good"}, "a d"),
    ({"mood": {"ne": "good"}}, "b c e"),
    ({"mood": None}, "c e"),
    ({"mood": {"exists": True}}, "a b d"),
    ({"mood": {"in": ["good", "bad"]}}, "a b d"),
    ({"mood": {"in": ["bad", None]}}, "b c e"),
    ({"mood": {"prefix": "go"}}, "a d"),
    ({"mood": {"contains": "OO"}}, "a d"),
    ({"n": {"gte": 2, "lt": 10}}, "b c"),
    ({"n": {"gt": 10**20}}, "d"),
    ({"n": 10**30 + 1}, "d"),
    ({"n": 10**30}, ""),
    ({"n": -1.5}, "e"),
    ({"date": {"gte": "2026-11-02"}}, "b c"),
    ({"date": {"lte": "2026-11-02"}}, "a b"),
    ({"tags": "x"}, "a b"),
    ({"address.city": "Bonn"}, "a"),
    ({"/address/city": {"in": ["Bonn", "Ulm"]}}, "a b"),
    ({"flag": True}, "a"),
    ({"flag": {"ne": True}}, "b c d e"),
    ({"mood": "good", "n": {"lt": 5}}, "a"),
    ({"$key": "k-b"}, "b"),
    ({"$key": {"prefix": "k-"}}, "a b"),
    ({"$key": {"exists": False}}, "c d e"),
    ({"$created_at": {"gte": "2026-11-01T08:00:00.123460Z"}}, "d e"),
    ({"it's": {"eq": '"; DROP'}}, "e"),
]
BODIES: dict[str, dict[str, Any]] = {
    "a": {
        "mood": "good",
        "n": 1,
        "date": "2026-11-01",
        "tags": ["x", "y"],
        "address": {"city": "Bonn"},
        "flag": True,
    },
    "b": {"mood": "bad", "n": 2, "date": "2026-11-02", "tags": "x", "address": [{"city": "Ulm"}]},
    "c": {"mood": None, "n": 9.5, "date": "2026-11-03T10:00:00Z", "flag": "true"},
    "d": {"mood": "good", "n": 10**30 + 1, "date": "yesterday"},
    "e": {"n": -1.5, "it's": '"; DROP'},
}


def _slots(body: dict[str, Any], paths: list[str]) -> list[Any]:
    values = [body.get(path[1:]) for path in paths]
    return [None if isinstance(value, list | dict) else value for value in values]


@pytest.mark.parametrize("indexed", ["not", "ready", "being made"])
@pytest.mark.parametrize(("where", "expected"), FILTERS)
async def test_where_finds_the_same_with_and_without_indexes(
    api: httpx2.AsyncClient, rows: Rows, indexed: str, where: dict[str, Any], expected: str
) -> None:
    """Which indexes there are, and whether they are ready, changes no answer."""
    shelf, ordered = Shelf(rows), ["/mood", "/n", "/date", "/flag"]
    if indexed != "not":
        shelf.declare({"equality": True, "ordered": ordered}, ready=indexed == "ready")
    ready = {"filterable": True} if indexed == "ready" else {}
    ids = {}
    for name, body in BODIES.items():
        slots = {"slots": _slots(body, ordered)} if ready else {}
        key = f"k-{name}" if name in "ab" else None
        ids[shelf.put(body, key=key, **ready, **slots)] = name
    found = await everything(api, shelf, where=json.dumps(where), limit=2)
    assert " ".join(ids[one["id"]] for one in found) == expected
    # Many more objects than are looked at one by one: now the index is asked, if there is one.
    shelf.pretend(object_count=100_000)
    found = await everything(api, shelf, where=json.dumps(where), limit=2)
    assert " ".join(ids[one["id"]] for one in found) == expected


async def test_nothing_of_a_deleted_collection_is_read(
    api: httpx2.AsyncClient, shelf: Shelf
) -> None:
    """Neither an object nor its versions, though its rows are still there."""
    url = f"/v1/objects/{shelf.put({'secret': True})}"
    paths = (url, f"{url}/versions", f"{url}/versions/1")
    assert [(await api.get(path)).status_code for path in paths] == [200, 200, 200]
    shelf.pretend(deleted_at=datetime.now(UTC))
    assert [(await api.get(path)).status_code for path in paths] == [404, 404, 404]

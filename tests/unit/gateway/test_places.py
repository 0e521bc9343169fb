"""Where a search may look, by the scopes of its key."""

from typing import Any

import pytest

from gateway.errors import Forbidden, InvalidInput
from gateway.principal import Principal
from gateway.queries.places import Places, narrowed, resolved

KNOWN = {"diary": ("col_1", True), "recipes": ("col_2", True), "private": ("col_3", False)}


class FakeReader:
    """Postgres with three collections, of which search finds two; counts what it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def rows(self, _: object, tenant: str) -> list[dict[str, Any]]:
        self.asked.append(tenant)
        return [
            {"name": name, "collection_id": collection_id, "declared": declared}
            for name, (collection_id, declared) in KNOWN.items()
        ]


async def places(*names: str, scopes: tuple[str, ...] = ("read",)) -> Places:
    principal = Principal("demo", None, "key", frozenset(scopes), None)
    reader: Any = FakeReader()
    return await resolved(reader, principal, names)


async def test_a_key_of_everything_searches_everything() -> None:
    """Documents, collections that are named, or all that search finds."""
    assert await places("documents") == Places(("documents",), documents=True, objects=False)
    named = await places("documents", "collections/recipes")
    assert (named.documents, named.collections) == (True, ("col_2",))
    assert (await places("collections")).collections == ("col_1", "col_2")
    assert (await places("collections", "collections/diary")).collections == ("col_1", "col_2")


async def test_a_key_of_one_collection_searches_that_one() -> None:
    """No documents, no others, there or not; of all of them it has its own."""
    scopes = ("read:diary", "write:recipes")
    assert (await places("collections", scopes=scopes)).collections == ("col_1",)
    assert (await places("collections/diary", scopes=scopes)).collections == ("col_1",)
    for name in ("documents", "collections/recipes", "collections/nothing"):
        with pytest.raises(Forbidden):
            await places(name, scopes=scopes)


async def test_documents_alone_cost_no_look_at_the_collections() -> None:
    """They are what most searches are of."""
    reader: Any = FakeReader()
    principal = Principal("demo", None, "key", frozenset({"read"}), None)
    await resolved(reader, principal, ["documents"])
    assert reader.asked == []
    await resolved(reader, principal, ["collections"])
    assert reader.asked == ["demo"]


@pytest.mark.parametrize("name", ["collections/nothing", "collections/private"])
async def test_a_collection_that_cannot_be_searched_is_named(name: str) -> None:
    """Where it stands, and what would help."""
    with pytest.raises(InvalidInput) as refused:
        await places("documents", name)
    assert [error.pointer for error in refused.value.errors] == ["/in/1"]


def test_all_collections_may_be_none() -> None:
    """Then nothing is found; it is not everything."""
    narrow = narrowed(Places(("collections",), documents=False, objects=True), None)
    [clause] = narrow.clauses
    [side] = clause["bool"]["should"]
    assert side == {"bool": {"filter": [{"terms": {"collection_id": []}}]}}


def test_a_where_that_neither_side_can_use_is_refused() -> None:
    """With what is wrong; one that only objects can use leaves documents out, and says so."""
    both = Places(("documents", "collections"), documents=True, objects=True, collections=("c",))
    with pytest.raises(InvalidInput):
        narrowed(both, {"mood": {"sounds": "like"}})
    narrow = narrowed(both, {"mood": 7})
    assert len(narrow.clauses[0]["bool"]["should"]) == len(narrow.notices) == 1
    with pytest.raises(InvalidInput):
        narrowed(Places(("documents",), documents=True, objects=False), {"mood": 7})


def test_what_a_cursor_is_bound_to() -> None:
    """To places and conditions as they were asked for, not to which collections there are now."""
    few = Places(("collections",), documents=False, objects=True, collections=("col_1",))
    more = Places(("collections",), documents=False, objects=True, collections=("col_1", "col_2"))
    assert narrowed(few, {"mood": 7}).bound == narrowed(more, {"mood": 7}).bound
    assert narrowed(few, {"mood": 7}).bound != narrowed(few, {"mood": 8}).bound
    other = Places(("collections/a",), documents=False, objects=True, collections=("col_1",))
    assert narrowed(few, None).bound != narrowed(other, None).bound

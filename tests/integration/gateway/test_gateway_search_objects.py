"""Searches in collections: what is found, whose it is, and what is not current any more."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, insert, update

from gateway.settings import GatewaySettings
from schemas.attributes import attributes
from schemas.ids import COLLECTION, OBJECT
from schemas.tables import COLLECTIONS, OBJECTS
from streams.clients.opensearch import SearchIndex
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.sources.objects import Objects
from streams.targets import Targets
from tests.fakes.embeddings import embedding as vectors
from tests.fakes.models import FakeModels
from tests.integration.gateway.conftest import Rows, Serve

WORD = "zephyrine"
"""It stands in every text of this module and in no other one."""


@dataclass
class Memory:
    """Collections whose entries are written as the worker writes them."""

    rows: Rows
    database: Database
    targets: Targets
    collections: dict[str, str] = field(default_factory=dict)
    sequence: int = 0

    def declare(self, name: str, search: dict[str, Any] | None, gpt_id: str | None = None) -> None:
        """Make a collection."""
        gpt_id = gpt_id or self.rows.gpt_id
        self.collections[name] = self.rows.ids.mint(COLLECTION, gpt_id)
        row = {"collection_id": self.collections[name], "name": name, "gpt_id": gpt_id}
        with self.rows.engine.begin() as connection:
            connection.execute(insert(COLLECTIONS).values(**row, search=search))

    async def add(self, name: str, body: dict[str, Any], **values: Any) -> str:
        """Make an object and index it. Returns: its id."""
        gpt_id = values.pop("gpt_id", self.rows.gpt_id)
        object_id = self.rows.ids.mint(OBJECT, gpt_id)
        self.sequence += 1
        row = {"object_id": object_id, "gpt_id": gpt_id, "sequence": self.sequence}
        statement = insert(OBJECTS).values(
            **row, collection_id=self.collections[name], body=body, size_bytes=1, **values
        )
        with self.rows.engine.begin() as connection:
            connection.execute(statement)
        await self.index(object_id)
        return object_id

    async def index(self, object_id: str) -> None:
        """Write an object's entries as it is now."""
        content = await Objects(self.database).find(object_id)
        assert content is not None
        await self.targets.put(FakeModels(lambda *_: None), content)  # type: ignore[arg-type, return-value]

    def change(self, object_id: str, **values: Any) -> None:
        """Change an object's row."""
        statement = update(OBJECTS).where(OBJECTS.c.object_id == object_id).values(**values)
        with self.rows.engine.begin() as connection:
            connection.execute(statement)


@pytest.fixture(scope="module")
async def memory(rows: Rows, database: Database, settings: Settings) -> AsyncIterator[Memory]:
    """Two collections that are searched and one that is not; another tenant has one too."""
    search = SearchIndex.connect(settings)
    made = Memory(rows, database, Targets(database, search))
    made.declare("walks", {"fields": ["/text"], "title": "/place"})
    made.declare("meals", {"fields": ["/text", "/dishes"]})
    made.declare("secret", None)
    yield made
    await search.close()


@pytest.fixture(scope="module")
async def walks(memory: Memory) -> list[str]:
    """Eight walks, every other one of an end user, each with as many miles as its number."""
    return [
        await memory.add(
            "walks",
            {
                "text": f"{WORD} walk number {n} along the river.",
                "place": f"Place {n}",
                "miles": n,
                "weather": {"rain": n % 2 == 0},
                "type": "stroll" if n < 4 else "hike",
                "on": f"2026-11-0{n + 1}",
            },
            key=f"walk-{n}",
            subject="ann" if n % 2 else None,
        )
        for n in range(8)
    ]


@pytest.fixture(scope="module")
async def meals(memory: Memory) -> list[str]:
    """Two meals."""
    bodies = [{"text": f"{WORD} soup", "dishes": ["broth", "bread"]}, {"text": f"{WORD} cake"}]
    return [await memory.add("meals", body) for body in bodies]


@pytest.fixture(scope="module")
async def report(memory: Memory) -> AsyncIterator[str]:
    """A document that an older release has indexed: its entry says nothing of its kind."""
    rows = memory.rows
    document_id = rows.document(type="report", indexed_version=2, version=2, title="Report")
    entry = {
        "gpt_id": rows.gpt_id,
        "document_id": document_id,
        "run_id": "run",
        "version": 2,
        "ordinal": 0,
        "page": 1,
        "start": 0,
        "end": 20,
        "content": f"{WORD} report of walks",
        "type": "report",
        "needs_review": False,
        "content_type": "text/plain",
        "created_at": "2026-11-01T00:00:00Z",
        "attributes": attributes({"miles": 3}, {}, None),
        "embedding": [0.1] * 384,
    }
    live, _ = await memory.targets._search.written()
    assert live is not None
    await memory.targets._search.at(live).write([(f"{document_id}:0", entry)])
    yield document_id
    # Other modules search all documents.
    await memory.targets.forget(document_id)


@pytest.fixture(scope="module")
async def embedding(
    serve: Serve, gateway_settings: GatewaySettings, headers: dict[str, str]
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a gateway whose model server answers every query with one vector."""
    async with vectors(gateway_settings.embedding_dimensions) as models:
        own = gateway_settings.model_copy(update={"ollama_url": models})
        async with (
            serve(own) as url,
            httpx2.AsyncClient(base_url=url, headers=headers, timeout=60) as client,
        ):
            yield client


async def hits(
    client: httpx2.AsyncClient, *places: str, mode: str = "keyword", **body: Any
) -> list[dict[str, Any]]:
    """Returns: the hits of all pages."""
    asked = {"q": WORD, "mode": mode, "in": list(places), "limit": 3, **body}
    found: list[dict[str, Any]] = []
    while True:
        response = await client.post("/v1/search", json=asked)
        page = response.json()
        assert response.status_code == 200, page
        found += page["items"]
        if not page["has_more"]:
            return found
        asked["cursor"] = page["next_cursor"]


def ids(found: list[dict[str, Any]]) -> list[str]:
    return sorted(hit.get("id") or hit["document_id"] for hit in found)


async def test_a_hit_shows_the_object_and_why(
    api: httpx2.AsyncClient, walks: list[str], meals: list[str]
) -> None:
    """Its collection, key, title, version, a passage with the words that matched, and its URL."""
    del meals
    [hit] = await hits(api, "collections/walks", q="walk number 5", where={"miles": 5})
    assert hit.pop("score") > 0
    [passage] = hit.pop("highlights")
    assert passage["text"] == f"{WORD} walk number 5 along the river."
    assert [passage["text"][m["start"] : m["end"]] for m in passage["matches"]] == [
        "walk",
        "number",
        "5",
    ]
    assert {hit.pop(name)[:2] for name in ("created_at", "updated_at")} == {"20"}
    assert hit == {
        "kind": "object",
        "id": walks[5],
        "collection": "walks",
        "key": "walk-5",
        "title": "Place 5",
        "version": 1,
        "ordinal": 0,
        "url": f"/v1/objects/{walks[5]}",
    }


@pytest.mark.parametrize("mode", ["hybrid", "keyword", "semantic"])
async def test_places_are_searched_alone_and_together(
    embedding: httpx2.AsyncClient, walks: list[str], meals: list[str], report: str, mode: str
) -> None:
    """Each hit comes once over all pages, and none of a place that was not named."""
    everything = {
        ("collections/walks",): walks,
        ("collections/walks", "collections/meals"): [*walks, *meals],
        ("collections",): [*walks, *meals],
        ("documents", "collections/meals"): [report, *meals],
        ("documents", "collections"): [report, *walks, *meals],
    }
    for places, wanted in everything.items():
        found = ids(await hits(embedding, *places, mode=mode))
        if mode == "keyword" or not {"documents", "collections"} & {*places}:
            assert found == sorted(wanted), (places, mode)
        else:
            # What other modules have left is near the vector too.
            assert set(wanted) <= set(found)
            assert len(found) == len(set(found))


async def test_documents_alone_are_what_is_searched_by_default(
    api: httpx2.AsyncClient, walks: list[str], report: str
) -> None:
    """As before there were collections."""
    del walks
    found = (await api.get("/v1/search", params={"q": WORD, "mode": "keyword"})).json()["items"]
    assert [(hit["kind"], hit["document_id"]) for hit in found] == [("document", report)]


async def test_get_takes_the_same_places(api: httpx2.AsyncClient, meals: list[str]) -> None:
    """With commas between; the link to the next page keeps them."""
    query = {"q": WORD, "mode": "keyword", "in": "documents, collections/meals", "limit": "1"}
    response = await api.get("/v1/search", params={**query, "where": '{"dishes": "bread"}'})
    assert ids(response.json()["items"]) == [meals[0]]
    response = await api.get("/v1/search", params={**query, "in": "collections/meals"})
    following = await api.get(response.headers["link"].partition(">")[0].strip("<"))
    assert ids([*response.json()["items"], *following.json()["items"]]) == sorted(meals)


@pytest.mark.parametrize(
    ("where", "numbers"),
    [
        ({"miles": {"gte": 6}}, [6, 7]),
        ({"miles": {"in": [1, 2]}}, [1, 2]),
        ({"weather.rain": True, "miles": {"lt": 3}}, [0, 2]),
        ({"type": "stroll"}, [0, 1, 2, 3]),
        ({"place": {"prefix": "Place 7"}}, [7]),
        ({"place": {"contains": "E 3"}}, [3]),
        ({"on": {"gt": "2026-11-06", "lte": "2026-11-07"}}, [6]),
        ({"miles": {"ne": 0}, "type": {"ne": "hike"}}, [1, 2, 3]),
        ({"nothing": {"exists": True}}, []),
        ({"/weather/rain": False, "$key": {"in": ["walk-0", "walk-1"]}}, [1]),
        ({"$created_at": {"gte": "2020-01-01"}, "$key": {"prefix": "walk-7"}}, [7]),
        ({"$updated_at": {"lt": "2020-01-01"}}, []),
    ],
)
async def test_conditions_name_paths_into_the_body(
    embedding: httpx2.AsyncClient, walks: list[str], where: dict[str, Any], numbers: list[int]
) -> None:
    """In every mode, by the operators that documents have."""
    for mode in ("hybrid", "keyword", "semantic"):
        found = ids(await hits(embedding, "collections/walks", mode=mode, where=where))
        assert found == sorted(walks[n] for n in numbers), mode


async def test_in_a_mixed_search_each_side_reads_its_own_names(
    api: httpx2.AsyncClient, walks: list[str], report: str
) -> None:
    """`type` is a document's type and a body's key; what documents cannot have leaves them out."""
    both = {"q": WORD, "mode": "keyword", "in": ["documents", "collections/walks"], "limit": 20}
    search = {**both, "where": {"type": {"in": ["report", "hike"]}}}
    found = (await api.post("/v1/search", json=search)).json()
    assert ids(found["items"]) == sorted([report, *walks[4:]])
    assert found["notices"] == []
    found = (await api.post("/v1/search", json={**both, "where": {"miles": 3}})).json()
    assert ids(found["items"]) == [walks[3]]
    assert found["notices"][0].startswith("Documents were left out")
    found = (await api.post("/v1/search", json={**both, "where": {"metadata.miles": 3}})).json()
    assert ids(found["items"]) == [report]


async def test_facets_count_kinds_and_collections(
    api: httpx2.AsyncClient, walks: list[str], meals: list[str], report: str
) -> None:
    """A document that an older release has indexed counts as one."""
    del report
    body = {"q": WORD, "mode": "keyword", "in": ["documents", "collections"], "limit": 1}
    found = (await api.post("/v1/search", json={**body, "facets": ["kind", "collection"]})).json()
    counts = {
        name: {one["value"]: one["count"] for one in facet}
        for name, facet in found["facets"].items()
    }
    assert counts == {
        "kind": {"object": len(walks) + len(meals), "document": 1},
        "collection": {"walks": len(walks), "meals": len(meals)},
    }


async def test_chunks_of_an_object_come_each_on_its_own(
    api: httpx2.AsyncClient, memory: Memory
) -> None:
    """Grouped they are one hit, which is the object's best chunk."""
    memory.declare("essays", {"fields": ["/text"]})
    text = "\n\n".join(f"Part {n}. " + "The gramercy bell rings. " * 30 for n in range(6))
    object_id = await memory.add("essays", {"text": text})
    ask = {"q": "gramercy"}
    assert ids(await hits(api, "collections/essays", **ask)) == [object_id]
    found = await hits(api, "collections/essays", group="chunks", **ask)
    assert sorted(hit["ordinal"] for hit in found) == list(range(len(found)))
    assert len(found) >= 6


@pytest.mark.parametrize(
    "values",
    [
        {"version": 2},
        {"deleted_at": func.now()},
        {"expires_at": func.now()},
        {"gpt_id": "another"},
    ],
)
async def test_what_is_not_current_is_not_found(
    api: httpx2.AsyncClient, memory: Memory, walks: list[str], values: dict[str, Any]
) -> None:
    """Changed, deleted or expired objects are dropped although the index still has their texts."""
    back = {"version": 1, "deleted_at": None, "expires_at": None, "gpt_id": memory.rows.gpt_id}
    memory.change(walks[2], **values)
    found = ids(await hits(api, "collections/walks"))
    memory.change(walks[2], **{name: back[name] for name in values})
    assert found == sorted({*walks} - {walks[2]})


async def test_another_tenants_collection_is_not_there(
    api: httpx2.AsyncClient, memory: Memory
) -> None:
    """Neither by its name, nor among all collections, nor behind a name that both have."""
    mine = memory.collections["meals"]
    memory.declare("theirs", {"fields": ["/text"]}, gpt_id="another")
    memory.declare("meals", {"fields": ["/text"]}, gpt_id="another")
    hidden = [
        await memory.add(name, {"text": f"{WORD} of others"}, gpt_id="another")
        for name in ("theirs", "meals")
    ]
    memory.collections["meals"] = mine
    assert not {*hidden} & {*ids(await hits(api, "collections"))}
    assert not {*hidden} & {*ids(await hits(api, "collections/meals"))}
    named = await api.post("/v1/search", json={"q": "x", "in": ["collections/theirs"]})
    assert named.status_code == 422


@pytest.mark.parametrize(
    ("places", "pointer", "said"),
    [
        (["documents", "collections/nothing"], "/in/1", "no collection nothing"),
        (["collections/secret"], "/in/0", "search.fields"),
        (["elsewhere"], "/in/0", ""),
        (["collections/"], "/in/0", ""),
        ([], "/in", ""),
    ],
)
async def test_a_place_that_cannot_be_searched_is_named(
    api: httpx2.AsyncClient, memory: Memory, places: list[str], pointer: str, said: str
) -> None:
    """With the reason, as 422."""
    del memory
    response = await api.post("/v1/search", json={"q": "x", "in": places})
    assert response.status_code == 422
    [error] = response.json()["errors"]
    assert error["pointer"] == pointer
    assert said in error["detail"]
    by_query = await api.get("/v1/search", params={"q": "x", "in": ",".join(places)})
    assert by_query.status_code == 422


async def test_a_cursor_belongs_to_its_places(
    api: httpx2.AsyncClient, walks: list[str], meals: list[str]
) -> None:
    """It does not lead on in others."""
    del walks, meals
    first = {"q": WORD, "mode": "keyword", "in": ["collections/walks"], "limit": 1}
    cursor = (await api.post("/v1/search", json=first)).json()["next_cursor"]
    second = {**first, "in": ["collections/meals"], "cursor": cursor}
    assert (await api.post("/v1/search", json=second)).status_code == 400

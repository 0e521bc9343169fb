"""Where entries go, and in which order that is found out."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from schemas.indexes import Vectors
from schemas.versions import DELETED_VERSION
from streams.entries import Content
from streams.errors import DependencyDown
from streams.targets import Targets
from tests.fakes.models import FakeModels
from tests.unit.streams.test_entries import content

OLD = Vectors("old", 4)
NEW = Vectors("new", 2)


@dataclass
class Servers:
    """Postgres and OpenSearch as `Targets` sees them; `asked` says in which order."""

    building: Sequence[str] = ()
    live: str | None = "live"
    retired: Sequence[str] = ()
    made_by: dict[str, Vectors | None] = field(default_factory=lambda: {"live": OLD, "next": NEW})
    asked: list[str] = field(default_factory=list)
    wrote: dict[str, list[Any]] = field(default_factory=dict)
    deleted: dict[str, tuple[list[str], int]] = field(default_factory=dict)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Servers"]:
        yield self

    async def execute(self, _: object) -> "Servers":
        self.asked.append("rebuilds")
        return self

    def scalars(self) -> "Servers":
        return self

    def all(self) -> Sequence[str]:
        return self.building

    async def written(self) -> tuple[str | None, Sequence[str]]:
        self.asked.append("aliases")
        return self.live, self.retired

    async def vectors(self, name: str) -> Vectors | None:
        return self.made_by[name]

    def at(self, name: str) -> "Index":
        return Index(self, name)


@dataclass
class Index:
    """One index of them; it holds an entry that no document should have."""

    servers: Servers
    name: str

    async def refresh(self) -> None:
        self.servers.asked.append("refresh")

    async def write(self, entries: Sequence[Any], *, version: int, refresh: str) -> None:
        del version, refresh
        self.servers.wrote.setdefault(self.name, []).extend(entries)

    async def ids(self, document_id: str) -> list[str]:
        return [f"{document_id}:0", f"{document_id}:9"]

    async def delete(self, ids: list[str], *, version: int, refresh: str = "") -> None:
        del refresh
        self.servers.deleted[self.name] = ids, version


def targets(servers: Any) -> Targets:
    return Targets(servers, servers)


def models() -> FakeModels:
    return FakeModels(lambda *_: None, dimensions={"old": 4, "new": 2})  # type: ignore[arg-type, return-value]


def made(chunks: int) -> Content:
    return content(chunks, most_held=chunks + 1)


async def test_each_index_gets_vectors_of_its_own() -> None:
    """The live one, and the one that is being built, which may be of another model."""
    servers = Servers(building=["next"])

    assert await targets(servers).put(models(), made(2)) == OLD

    lengths = {
        name: {len(body["embedding"]) for _, body in entries}
        for name, entries in servers.wrote.items()
    }
    assert lengths == {"live": {4}, "next": {2}}
    gone = (["doc_1:2", "doc_1:9"], 7)
    assert servers.deleted == {"live": gone, "next": gone}


async def test_the_table_is_read_before_the_aliases() -> None:
    """The other way round, a rebuild that ends in between would be in neither."""
    servers = Servers()
    await targets(servers).forget("doc_1")
    assert servers.asked[:2] == ["rebuilds", "aliases"]


async def test_after_the_swap_an_index_is_written_once() -> None:
    """The new one is live and still under way; the old one is kept up."""
    servers = Servers(
        building=["next"], live="next", retired=["live"], made_by={"live": OLD, "next": NEW}
    )
    assert await targets(servers).put(models(), made(1)) == NEW
    assert {name: len(entries) for name, entries in servers.wrote.items()} == {"next": 1, "live": 1}


@pytest.mark.parametrize("vectors", [None, Vectors("old", 4, preparation=0)])
async def test_vectors_that_cannot_be_made_are_left_out(vectors: Vectors | None) -> None:
    """The entry is there for the words, and no vector of another kind is mixed in."""
    servers = Servers(made_by={"live": vectors})
    await targets(servers).put(models(), made(1))
    [(_, body)] = servers.wrote["live"]
    assert "embedding" not in body


async def test_a_deleted_document_is_gone_from_everywhere() -> None:
    """Entries that a search does not find yet are covered by the highest count it ever had."""
    servers = Servers(building=["next"])
    await targets(servers).forget("doc_1", at_most=2)
    gone = (["doc_1:0", "doc_1:1", "doc_1:9"], DELETED_VERSION)
    assert servers.deleted == {"live": gone, "next": gone}


async def test_without_a_live_index_work_waits() -> None:
    """It is for `migrate` to make one; a write never does."""
    with pytest.raises(DependencyDown, match="actionstream migrate"):
        await targets(Servers(live=None)).forget("doc_1")

"""Where the text that a search finds comes from: documents, and objects of collections.

Both are chunks with attributes and a version, read in one snapshot, and nothing that writes or
compares entries asks which of them it has.
"""

from collections.abc import Sequence
from typing import Protocol

from streams.clients.postgres import Database
from streams.entries import Content, Standing
from streams.sources.documents import Documents
from streams.sources.objects import Objects

__all__ = ["Source", "sources"]


class Source(Protocol):
    """One kind of what a search finds. Every method raises DependencyDown: Postgres is away."""

    async def count(self) -> int:
        """Returns: about how many there are."""

    async def ids_after(self, after: str, limit: int) -> list[str]:
        """Returns: the next ids behind this one, in their order; deleted ones may be among them."""

    async def standings(self, ids: Sequence[str]) -> list[Standing]:
        """Returns: how these stand now, all seen in one snapshot."""

    async def read(self, standing: Standing) -> Content | None:
        """Returns: what the index should hold of it now; None if it was deleted meanwhile."""

    async def keep(self, content: Content) -> None:
        """Store what a rebuild has cut anew, where the rows hold it and hold it otherwise."""


def sources(database: Database) -> tuple[Source, ...]:
    """Returns: all of them, in the order of their ids: every document's is before any object's."""
    return (Documents(database), Objects(database))

"""What the search index should hold of a document or an object: entries made of chunks of its text.

Where the text comes from is for `streams/sources` to know. Reads and writes nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from schemas.indexes import Vectors
from streams.chunking import Chunk
from streams.clients.index_entries import Held

_PART: Final = 256
"""Chunks whose vectors are in memory at once."""


@dataclass(frozen=True, slots=True)
class Content:
    """All that can be found of a document or an object at one version of it.

    `origin` tells what its text was read by: a document's run, or what an object's collection says
    that search finds; without one nothing is to be found, and there are no chunks. `about` is what
    all entries have in common beside that. `heading` is embedded with each chunk. The index has
    held at most `most_held` entries of it.
    """

    id: str
    gpt_id: str
    version: int
    origin: str | None
    chunks: Sequence[Chunk]
    most_held: int
    heading: str | None
    about: Mapping[str, Any]

    @property
    def ids(self) -> list[str]:
        """Returns: the ids of all its entries, in the chunks' order."""
        return entry_ids(self.id, len(self.chunks))

    def parts(self) -> Iterator[Sequence[Chunk]]:
        """Yield the chunks in parts that are small enough to be embedded at once."""
        for start in range(0, len(self.chunks), _PART):
            yield self.chunks[start : start + _PART]

    def text(self, each: Chunk) -> str:
        """Returns: what of a chunk is embedded."""
        return f"{self.heading}\n{each.text}" if self.heading else each.text

    def entries(
        self,
        part: Sequence[Chunk],
        made_by: Vectors | None,
        embedded: Sequence[Sequence[float]] | None,
    ) -> list[tuple[str, dict[str, Any]]]:
        """Returns: the entries `(id, body)` of these chunks; without vectors if there are none."""
        shared = {
            **self.about,
            "gpt_id": self.gpt_id,
            "document_id": self.id,
            "run_id": self.origin,
            "version": self.version,
        }
        made = []
        for number, each in enumerate(part):
            body = {**shared, **_own(each)}
            if embedded is not None and made_by is not None:
                body["embedding_model"] = made_by.model
                body["embedding"] = [round(x, 6) for x in embedded[number]]
            made.append((f"{self.id}:{each.ordinal}", body))
        return made


def _own(each: Chunk) -> dict[str, Any]:
    return {
        "ordinal": each.ordinal,
        "page": each.page,
        "start": each.start,
        "end": each.end,
        "content": each.text,
    }


def entry_ids(source_id: str, count: int) -> list[str]:
    """Returns: the ids of the entries of a document or object that has so many chunks."""
    return [f"{source_id}:{ordinal}" for ordinal in range(count)]


@dataclass(frozen=True, slots=True)
class Standing:
    """A document or object as an index is compared with it.

    One that is `gone` never comes back. Of a document, `chunk_count` is of its readable run's rows:
    it is 0 where the text is empty, and also where the run was never indexed: then only the text
    itself tells.
    """

    id: str
    gpt_id: str
    version: int
    gone: bool
    origin: str | None
    chunk_count: int

    def agrees(self, held: Held | None) -> bool:
        """Returns: whether an index that holds this of it holds what it should."""
        if self.gone or self.origin is None:
            return held is None
        version, count = self.version, self.chunk_count
        return held == Held(count, version, version, count - 1, frozenset((self.origin,)))

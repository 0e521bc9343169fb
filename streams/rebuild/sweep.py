"""A sweep through one source of text that makes an index agree with Postgres, where it does not.

Reads what the source reads. Writes OpenSearch, and the chunks' rows of documents that are cut
otherwise today than when they were indexed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from schemas.indexes import Vectors
from schemas.versions import DELETED_VERSION
from streams.chunking import Chunk
from streams.clients.index_entries import Held, IndexEntries
from streams.entries import Content, Standing
from streams.sources import Source
from streams.targets import Embeds, clear

_AT_ONCE: Final = 256
"""Chunks that are embedded and written at once, of however many documents or objects."""
_ROUNDS: Final = 50
_LATER: Final = "false"
"""Entries are looked for once a round, after a refresh of its own."""

_State = tuple[str, int]
"""An id and the version of what it names."""


def _state(standing: Standing) -> _State:
    return standing.id, standing.version


class Unsettled(Exception):
    """Entries do not become what they should be, however often they are written."""

    def __init__(self, source_id: str) -> None:
        super().__init__(f"the entries of {source_id} still differ after {_ROUNDS} writings")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Brings the entries of one index, whose vectors are made in one way, up to date."""

    source: Source
    models: Embeds
    index: IndexEntries
    vectors: Vectors

    async def settle(self, ids: Sequence[str]) -> int:
        """Write and delete until the index holds of these documents or objects what it should.

        Returns: how many of them it did not hold as it should.
        Raises: Unavailable: a server is away, or a text cannot be embedded. Unsettled.
        """
        differing = await self._differing(ids)
        first = len(differing)
        empty: set[_State] = set()
        for _ in range(_ROUNDS):
            if not differing:
                return first - len(empty)
            empty |= await self._mend(differing)
            found = await self._differing([one.id for one, _ in differing])
            differing = [each for each in found if _state(each[0]) not in empty]
        raise Unsettled(differing[0][0].id)

    async def _differing(self, ids: Sequence[str]) -> list[tuple[Standing, Held | None]]:
        """Returns: those of which the index does not hold what it should, and what it does hold.

        The order counts. First all that was written becomes visible, then Postgres is read: what
        is deleted after that is deleted by a worker who finds all its entries.
        """
        await self.index.refresh()
        held = await self.index.held(ids)
        found = await self.source.standings(ids)
        compared = [(one, held.get(one.id)) for one in found]
        return [(one, has) for one, has in compared if not one.agrees(has)]

    async def _mend(self, differing: Sequence[tuple[Standing, Held | None]]) -> set[_State]:
        """Returns: those whose text turned out to be empty, each with its version."""
        empty: set[_State] = set()
        batch: list[tuple[Content, Sequence[Chunk]]] = []
        for standing, has in differing:
            content = await self._content(standing)
            if content is None:
                continue
            await self.source.keep(content)
            if has is not None:
                await clear(self.index, content, refresh=_LATER)
            for part in content.parts():
                batch.append((content, part))
                if sum(len(each) for _, each in batch) >= _AT_ONCE:
                    await self._write(batch)
                    batch = []
            if not content.chunks:
                empty.add(_state(standing))
        await self._write(batch)
        return empty

    async def _content(self, standing: Standing) -> Content | None:
        """Returns: what the index should hold of it; if nothing, that is seen to here."""
        if not standing.gone and standing.origin is not None:
            # Deleted meanwhile: the next round sees that.
            return await self.source.read(standing)
        gone = await self.index.ids(standing.id)
        version = DELETED_VERSION if standing.gone else standing.version
        await self.index.delete(gone, version=version, refresh=_LATER)
        return None

    async def _write(self, batch: Sequence[tuple[Content, Sequence[Chunk]]]) -> None:
        texts = [content.text(each) for content, part in batch for each in part]
        if not texts:
            return
        embedded = await self.models.embed(texts, model=self.vectors.model, record="reindex")
        made = []
        first = 0
        for content, part in batch:
            own = embedded[first : first + len(part)]
            made += content.entries(part, self.vectors, own)
            first += len(part)
        await self.index.write(made, refresh=_LATER)

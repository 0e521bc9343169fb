"""A sweep through all documents that makes an index agree with Postgres, where it does not.

Reads documents, runs, pages and chunks. Writes OpenSearch, and the chunks' rows of documents that
are cut otherwise today than when they were indexed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select

from schemas.indexes import Vectors
from schemas.tables import CHUNKS, DOCUMENTS
from schemas.versions import DELETED_VERSION
from streams import documents, entries
from streams.chunking import Chunk
from streams.clients.index_entries import Held, IndexEntries
from streams.clients.postgres import Database
from streams.entries import Content, Standing
from streams.errors import Refused
from streams.targets import Embeds, clear

_AT_ONCE: Final = 256
"""Chunks that are embedded and written at once, of however many documents."""
_ROUNDS: Final = 50
_LATER: Final = "false"
"""Entries are looked for once a round, after a refresh of its own."""

_State = tuple[str, int]
"""A document's id and version."""


def _state(standing: Standing) -> _State:
    return standing.document_id, standing.version


class Unsettled(Exception):
    """A document's entries do not become what they should be, however often they are written."""

    def __init__(self, document_id: str) -> None:
        super().__init__(f"the entries of {document_id} still differ after {_ROUNDS} writings")


@dataclass(frozen=True, slots=True)
class Sweep:
    """Brings the entries of one index, whose vectors are made in one way, up to date."""

    database: Database
    models: Embeds
    index: IndexEntries
    vectors: Vectors

    async def settle(self, document_ids: Sequence[str]) -> int:
        """Write and delete until the index holds of these documents what it should.

        Returns: how many of them it did not hold as it should.
        Raises: Unavailable: a server is away, or a text cannot be embedded. Unsettled.
        """
        differing = await self._differing(document_ids)
        first = len(differing)
        empty: set[_State] = set()
        for _ in range(_ROUNDS):
            if not differing:
                return first - len(empty)
            empty |= await self._mend(differing)
            found = await self._differing([one.document_id for one, _ in differing])
            differing = [each for each in found if _state(each[0]) not in empty]
        raise Unsettled(differing[0][0].document_id)

    async def _differing(self, document_ids: Sequence[str]) -> list[tuple[Standing, Held | None]]:
        """Returns: the documents of which the index does not hold what it should, and what it does.

        The order counts. First all that was written becomes visible, then Postgres is read: a
        document that is deleted after that is deleted by a worker who finds all its entries.
        """
        await self.index.refresh()
        held = await self.index.held(document_ids)
        found = await entries.standings(self.database, document_ids)
        compared = [(one, held.get(one.document_id)) for one in found]
        return [(one, has) for one, has in compared if not one.agrees(has)]

    async def _mend(self, differing: Sequence[tuple[Standing, Held | None]]) -> set[_State]:
        """Returns: the documents whose text turned out to be empty, each with its version."""
        empty: set[_State] = set()
        batch: list[tuple[Content, Sequence[Chunk]]] = []
        for standing, has in differing:
            content = await self._content(standing)
            if content is None:
                continue
            await self._keep_chunks(content)
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
        """Returns: what the index should hold of a document; if nothing, that is seen to here."""
        if not standing.deleted and standing.run_id is not None:
            try:
                return await entries.read(self.database, standing.gpt_id, standing.document_id)
            except Refused:
                return None  # Deleted meanwhile: the next round sees the tombstone.
        gone = await self.index.ids(standing.document_id)
        version = DELETED_VERSION if standing.deleted else standing.version
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

    async def _keep_chunks(self, content: Content) -> None:
        """Store the chunks if they are not those that are stored, and the document still is."""
        columns = CHUNKS.c
        stored = select(columns.page, columns.start_offset, columns.end_offset).where(
            columns.run_id == content.run_id
        )
        row = content.row
        stands = select(DOCUMENTS.c.document_id).where(
            DOCUMENTS.c.document_id == row.document_id,
            DOCUMENTS.c.version == row.version,
            DOCUMENTS.c.deleted_at.is_(None),
        )
        async with self.database.transaction() as connection:
            found = await connection.execute(stored.order_by(columns.ordinal))
            if [tuple(each) for each in found] == [
                (each.page, each.start, each.end) for each in content.chunks
            ]:
                return
            await connection.execute(documents.locking(row.document_id))
            if (await connection.execute(stands)).one_or_none() is not None:
                for statement in entries.storing_chunks(content):
                    await connection.execute(statement)

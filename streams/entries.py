"""What the search index should hold of a document: its entries, made from what Postgres has.

Reads documents, runs, pages and chunks. Writes nothing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas.attributes import attributes
from schemas.indexes import Vectors
from schemas.tables import CHUNKS, DOCUMENTS, RUNS
from streams import documents
from streams.chunking import Chunk, chunk
from streams.clients.index_entries import Held
from streams.clients.postgres import Database

_PART: Final = 256
"""Chunks whose vectors are in memory at once."""
_ROWS_PER_INSERT: Final = 500


@dataclass(frozen=True, slots=True)
class Content:
    """A document's row, and the chunks of its latest run that was read to its end.

    There are no chunks before a run was, and then `run_id` is None.
    """

    row: Row[Any]
    run_id: str | None
    chunks: Sequence[Chunk]

    @property
    def ids(self) -> list[str]:
        """Returns: the ids of all its entries, in the chunks' order."""
        return entry_ids(self.row.document_id, len(self.chunks))

    def parts(self) -> Iterator[Sequence[Chunk]]:
        """Yield the chunks in parts that are small enough to be embedded at once."""
        for start in range(0, len(self.chunks), _PART):
            yield self.chunks[start : start + _PART]

    def text(self, each: Chunk) -> str:
        """Returns: what of a chunk is embedded."""
        return f"{self.row.title}\n{each.text}" if self.row.title else each.text

    def entries(
        self,
        part: Sequence[Chunk],
        made_by: Vectors | None,
        embedded: Sequence[Sequence[float]] | None,
    ) -> list[tuple[str, dict[str, Any]]]:
        """Returns: the entries `(id, body)` of these chunks; without vectors if there are none."""
        shared = self._shared()
        made = []
        for number, each in enumerate(part):
            body = {**shared, **_own(each)}
            if embedded is not None and made_by is not None:
                body["embedding_model"] = made_by.model
                body["embedding"] = [round(x, 6) for x in embedded[number]]
            made.append((f"{self.row.document_id}:{each.ordinal}", body))
        return made

    def _shared(self) -> dict[str, Any]:
        row = self.row
        return {
            "gpt_id": row.gpt_id,
            "subject": row.subject,
            "document_id": row.document_id,
            "run_id": self.run_id,
            "version": row.version,
            "title": row.title,
            "filename": row.filename,
            "type": row.type,
            "needs_review": row.needs_review,
            "content_type": row.content_type,
            "created_at": row.created_at.isoformat(),
            "attributes": attributes(row.metadata, row.fields, row.confidence),
        }


def _own(each: Chunk) -> dict[str, Any]:
    return {
        "ordinal": each.ordinal,
        "page": each.page,
        "start": each.start,
        "end": each.end,
        "content": each.text,
    }


def entry_ids(document_id: str, count: int) -> list[str]:
    """Returns: the ids of a document's entries if it has so many chunks."""
    return [f"{document_id}:{ordinal}" for ordinal in range(count)]


async def read(database: Database, gpt_id: str, document_id: str) -> Content:
    """Returns: what the index should hold of a document now.

    Its version was read first: who finds the same version after the writing wrote what belongs to
    it.

    Raises: Refused (404): there is none, or it was deleted. DependencyDown: Postgres is away.
    """
    row = await documents.require(database, gpt_id, document_id)
    run_id = await documents.readable_run(database, document_id)
    if run_id is None:
        return Content(row, None, ())
    return Content(row, run_id, chunk(await documents.pages(database, run_id)))


def storing_chunks(content: Content, **columns: Any) -> list[Executable]:  # noqa: ANN401 - SQL
    """Returns: the statements that make the chunks' rows those of this content.

    `columns` are set in the document's row beside the number of its chunks.
    """
    row = content.row
    rows = [
        {
            "run_id": content.run_id,
            "ordinal": each.ordinal,
            "gpt_id": row.gpt_id,
            "document_id": row.document_id,
            "page": each.page,
            "start_offset": each.start,
            "end_offset": each.end,
            "text": each.text,
        }
        for each in content.chunks
    ]
    return [
        delete(CHUNKS).where(CHUNKS.c.run_id == content.run_id),
        *(
            insert(CHUNKS).values(rows[start : start + _ROWS_PER_INSERT])
            for start in range(0, len(rows), _ROWS_PER_INSERT)
        ),
        update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id == row.document_id)
        .values(chunk_count=func.greatest(DOCUMENTS.c.chunk_count, len(rows)), **columns),
    ]


@dataclass(frozen=True, slots=True)
class Standing:
    """A document as an index is compared with it: `chunk_count` is of its readable run's rows.

    It is 0 where the text is empty, and also where the run was never indexed: then only the text
    itself tells.
    """

    document_id: str
    gpt_id: str
    version: int
    deleted: bool
    run_id: str | None
    chunk_count: int

    def agrees(self, held: Held | None) -> bool:
        """Returns: whether an index that holds this of the document holds what it should."""
        if self.deleted or self.run_id is None:
            return held is None
        return held == Held(self.chunk_count, self.version, self.version, self.chunk_count - 1)


async def ids_after(database: Database, document_id: str, limit: int) -> list[str]:
    """Returns: the next documents' ids in their order, deleted ones among them."""
    query = (
        select(DOCUMENTS.c.document_id)
        .where(DOCUMENTS.c.document_id > document_id)
        .order_by(DOCUMENTS.c.document_id)
        .limit(limit)
    )
    async with database.transaction() as connection:
        return list((await connection.execute(query)).scalars())


async def standings(database: Database, document_ids: Sequence[str]) -> list[Standing]:
    """Returns: how these documents stand now, all seen in one snapshot."""
    latest = (
        select(RUNS.c.run_id)
        .where(RUNS.c.document_id == DOCUMENTS.c.document_id, RUNS.c.fields.is_not(None))
        .order_by(RUNS.c.number.desc())
        .limit(1)
        .lateral("latest")
    )
    counted = (
        select(func.count().label("chunk_count"))
        .where(CHUNKS.c.run_id == latest.c.run_id)
        .lateral("counted")
    )
    query = (
        select(
            DOCUMENTS.c.document_id,
            DOCUMENTS.c.gpt_id,
            DOCUMENTS.c.version,
            DOCUMENTS.c.deleted_at.is_not(None).label("deleted"),
            latest.c.run_id,
            counted.c.chunk_count,
        )
        .select_from(DOCUMENTS.outerjoin(latest, true()).outerjoin(counted, true()))
        .where(DOCUMENTS.c.document_id.in_(document_ids))
    )
    async with database.transaction() as connection:
        return [Standing(*row) for row in await connection.execute(query)]

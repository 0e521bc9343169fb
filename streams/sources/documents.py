"""Documents as a source of text to find: the pages of the latest run that was read to its end.

Reads documents, runs, pages and chunks. Writes chunks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import delete, func, select, true, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import Executable

from schemas.attributes import attributes
from schemas.indexes import Kind
from schemas.tables import CHUNKS, DOCUMENTS, RUNS
from streams import documents
from streams.chunking import chunk
from streams.clients.postgres import Database
from streams.entries import Content, Standing
from streams.errors import Refused

_ROWS_PER_INSERT: Final = 500


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of all tenants; `streams.sources.Source` says what the methods do."""

    database: Database

    async def count(self) -> int:
        """Returns: how many there are."""
        async with self.database.transaction() as connection:
            counted = await connection.execute(select(func.count()).select_from(DOCUMENTS))
        return int(counted.scalar_one())

    async def ids_after(self, after: str, limit: int) -> list[str]:
        """Returns: the next documents' ids in their order, deleted ones among them."""
        query = (
            select(DOCUMENTS.c.document_id)
            .where(DOCUMENTS.c.document_id > after)
            .order_by(DOCUMENTS.c.document_id)
            .limit(limit)
        )
        async with self.database.transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def standings(self, ids: Sequence[str]) -> list[Standing]:
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
                DOCUMENTS.c.deleted_at.is_not(None).label("gone"),
                latest.c.run_id,
                counted.c.chunk_count,
            )
            .select_from(DOCUMENTS.outerjoin(latest, true()).outerjoin(counted, true()))
            .where(DOCUMENTS.c.document_id.in_(ids))
        )
        async with self.database.transaction() as connection:
            return [Standing(*row) for row in await connection.execute(query)]

    async def read(self, standing: Standing) -> Content | None:
        """Returns: what the index should hold of a document now; None if it was deleted."""
        try:
            return await self.require(standing.gpt_id, standing.id)
        except Refused:
            return None

    async def require(self, gpt_id: str, document_id: str) -> Content:
        """Returns: what the index should hold of a document now.

        Its version was read first: who finds the same version after the writing wrote what belongs
        to it.

        Raises: Refused (404): there is none, or it was deleted.
        """
        row = await documents.require(self.database, gpt_id, document_id)
        run_id = await documents.readable_run(self.database, document_id)
        pages = [] if run_id is None else await documents.pages(self.database, run_id)
        return Content(
            id=document_id,
            gpt_id=gpt_id,
            version=row.version,
            origin=run_id,
            chunks=chunk(pages),
            most_held=row.chunk_count,
            heading=row.title,
            about={
                "kind": Kind.DOCUMENT,
                "subject": row.subject,
                "title": row.title,
                "filename": row.filename,
                "type": row.type,
                "needs_review": row.needs_review,
                "content_type": row.content_type,
                "created_at": row.created_at.isoformat(),
                "attributes": attributes(row.metadata, row.fields, row.confidence),
            },
        )

    async def keep(self, content: Content) -> None:
        """Store the chunks if they are not those that are stored, and the document still is."""
        columns = CHUNKS.c
        stored = select(columns.page, columns.start_offset, columns.end_offset).where(
            columns.run_id == content.origin
        )
        stands = select(DOCUMENTS.c.document_id).where(
            DOCUMENTS.c.document_id == content.id,
            DOCUMENTS.c.version == content.version,
            DOCUMENTS.c.deleted_at.is_(None),
        )
        async with self.database.transaction() as connection:
            found = await connection.execute(stored.order_by(columns.ordinal))
            if [tuple(each) for each in found] == [
                (each.page, each.start, each.end) for each in content.chunks
            ]:
                return
            await connection.execute(documents.locking(content.id))
            if (await connection.execute(stands)).one_or_none() is not None:
                for statement in storing_chunks(content):
                    await connection.execute(statement)


def storing_chunks(content: Content, **columns: Any) -> list[Executable]:  # noqa: ANN401 - SQL
    """Returns: the statements that make the chunks' rows those of this content.

    `columns` are set in the document's row beside the number of its chunks.
    """
    rows = [
        {
            "run_id": content.origin,
            "ordinal": each.ordinal,
            "gpt_id": content.gpt_id,
            "document_id": content.id,
            "page": each.page,
            "start_offset": each.start,
            "end_offset": each.end,
            "text": each.text,
        }
        for each in content.chunks
    ]
    return [
        delete(CHUNKS).where(CHUNKS.c.run_id == content.origin),
        *(
            insert(CHUNKS).values(rows[start : start + _ROWS_PER_INSERT])
            for start in range(0, len(rows), _ROWS_PER_INSERT)
        ),
        update(DOCUMENTS)
        .where(DOCUMENTS.c.document_id == content.id)
        .values(chunk_count=func.greatest(DOCUMENTS.c.chunk_count, len(rows)), **columns),
    ]

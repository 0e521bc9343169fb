"""Objects of collections as a source of text to find: what stands where `search.fields` point.

Reads objects with their collections. Writes in objects how many entries the index may hold of them.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, func, or_, select, update
from sqlalchemy.sql.base import Executable

from schemas.attributes import body_attributes
from schemas.indexes import Kind
from schemas.pointers import find
from schemas.tables import COLLECTIONS, OBJECTS
from schemas.versions import DELETED_VERSION
from schemas.writes import SearchSettings
from streams.chunking import chunk
from streams.clients.postgres import Database
from streams.entries import Content, Standing
from streams.parsing.page import Page

_TITLE_CHARS: Final = 200
_FIRST_WORDS_CHARS: Final = 80


def declared() -> ColumnElement[bool]:
    """Returns: the condition on a collection that search finds its objects."""
    return func.jsonb_typeof(COLLECTIONS.c.search) == "object"


def findable() -> ColumnElement[bool]:
    """Returns: the condition on an object, and its collection, that search finds it now."""
    expires = OBJECTS.c.expires_at
    return and_(
        OBJECTS.c.deleted_at.is_(None),
        or_(expires.is_(None), expires > func.now()),
        COLLECTIONS.c.deleted_at.is_(None),
        declared(),
    )


@dataclass(frozen=True, slots=True)
class Objects:
    """The objects of all tenants; `streams.sources.Source` says what the methods do."""

    database: Database

    async def count(self) -> int:
        """Returns: how many there are in collections that search finds."""
        query = select(func.count()).select_from(_joined()).where(declared())
        async with self.database.transaction() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def ids_after(self, after: str, limit: int) -> list[str]:
        """Returns: the next objects' ids in their order, deleted ones among them."""
        query = (
            select(OBJECTS.c.object_id)
            .select_from(_joined())
            .where(OBJECTS.c.object_id > after, declared())
            .order_by(OBJECTS.c.object_id)
            .limit(limit)
        )
        async with self.database.transaction() as connection:
            return list((await connection.execute(query)).scalars())

    async def standings(self, ids: Sequence[str]) -> list[Standing]:
        """Returns: how these objects stand now; one whose row was removed is gone."""
        async with self.database.transaction() as connection:
            rows = (await connection.execute(_query().where(OBJECTS.c.object_id.in_(ids)))).all()
        found = {row.object_id: _content(row) for row in rows}
        return [
            _standing(found[each])
            if each in found
            else Standing(each, "", DELETED_VERSION, gone=True, origin=None, chunk_count=0)
            for each in ids
        ]

    async def read(self, standing: Standing) -> Content | None:
        """Returns: what the index should hold of an object now; None if its row was removed."""
        return await self.find(standing.id)

    async def find(self, object_id: str) -> Content | None:
        """Returns: what the index should hold of an object now; None where it has no row.

        One that search does not find (any more) has no origin and no chunks.
        """
        async with self.database.transaction() as connection:
            found = await connection.execute(_query().where(OBJECTS.c.object_id == object_id))
            row = found.one_or_none()
        return None if row is None else _content(row)

    async def keep(self, content: Content) -> None:
        """Store nothing: an object's chunks have no rows."""

    async def expect(self, content: Content) -> None:
        """Note, before entries are written, that there may be so many.

        A writer that dies then leaves none that the next one does not know of, although a search
        may not find them yet.
        """
        count = len(content.chunks)
        if count <= content.most_held:
            return
        raised = (
            update(OBJECTS)
            .where(OBJECTS.c.object_id == content.id, OBJECTS.c.entry_count < count)
            .values(entry_count=count)
        )
        async with self.database.transaction() as connection:
            await connection.execute(raised)


def noting(content: Content) -> Executable:
    """Returns: the statement that says what the index holds, if the object is still as it was."""
    return (
        update(OBJECTS)
        .where(OBJECTS.c.object_id == content.id, OBJECTS.c.version == content.version)
        .values(indexed_version=content.version, entry_count=len(content.chunks))
    )


def origin_of(search: Mapping[str, Any]) -> str:
    """Returns: the origin of objects' entries under what their collection says of search."""
    text = json.dumps(search, sort_keys=True)
    return f"search_{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def text_of(body: Mapping[str, Any], fields: Sequence[str]) -> str:
    """Returns: the texts and numbers at these JSON Pointers, a paragraph a pointer.

    Those of a list or an object are joined in their order; true, false and null are no text.
    """
    found = (", ".join(_texts(find(body, pointer))) for pointer in fields)
    return "\n\n".join(text for text in found if text)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if value.strip():
            yield value.strip()
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from _texts(each)


def _joined() -> Any:  # noqa: ANN401 - a join of two tables
    return OBJECTS.join(COLLECTIONS, COLLECTIONS.c.collection_id == OBJECTS.c.collection_id)


def _query() -> Select[Any]:
    columns = OBJECTS.c
    return select(
        columns.object_id,
        columns.gpt_id,
        columns.subject,
        columns.key,
        columns.body,
        columns.version,
        columns.entry_count,
        columns.created_at,
        columns.updated_at,
        columns.collection_id,
        COLLECTIONS.c.name,
        COLLECTIONS.c.search,
        func.coalesce(findable(), False).label("findable"),
    ).select_from(
        OBJECTS.outerjoin(COLLECTIONS, COLLECTIONS.c.collection_id == OBJECTS.c.collection_id)
    )


def _standing(content: Content) -> Standing:
    # Without chunks nothing is to be found, and here that is sure without another look.
    origin = content.origin if content.chunks else None
    return Standing(
        content.id,
        content.gpt_id,
        content.version,
        gone=False,
        origin=origin,
        chunk_count=len(content.chunks),
    )


def _content(row: Row[Any]) -> Content:
    if not row.findable:
        return Content(
            id=row.object_id,
            gpt_id=row.gpt_id,
            version=row.version,
            origin=None,
            chunks=(),
            most_held=row.entry_count,
            heading=None,
            about={},
        )
    settings = SearchSettings.model_validate(row.search)
    text = text_of(row.body, settings.fields)
    title = _title(row.body, settings)
    return Content(
        id=row.object_id,
        gpt_id=row.gpt_id,
        version=row.version,
        origin=origin_of(row.search),
        chunks=chunk([Page(1, text)]),
        most_held=row.entry_count,
        # What is part of the text anyway needs not be embedded twice.
        heading=None if settings.title in settings.fields else title,
        about={
            "kind": Kind.OBJECT,
            "subject": row.subject,
            "collection": row.name,
            "collection_id": row.collection_id,
            "title": title or row.key or _cut(text, _FIRST_WORDS_CHARS),
            "key": row.key,
            "created_at": row.created_at.isoformat(),
            "updated_at": row.updated_at.isoformat(),
            "attributes": body_attributes(row.body),
        },
    )


def _title(body: Mapping[str, Any], settings: SearchSettings) -> str | None:
    """Returns: the title that the collection names, if this object has one."""
    if settings.title is None:
        return None
    return _cut(", ".join(_texts(find(body, settings.title))), _TITLE_CHARS) or None


def _cut(text: str, chars: int) -> str:
    """Returns: the first words of a text on one line, with an ellipsis where there are more."""
    line = " ".join(text.split())
    if len(line) <= chars:
        return line
    return line[: chars - 1].rsplit(" ", 1)[0] + "…"

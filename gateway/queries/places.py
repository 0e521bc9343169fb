"""Where a search looks: in the documents, in collections, or in both, as far as the key reaches."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select

from gateway.database import Reader
from gateway.errors import Forbidden, InvalidInput
from gateway.lists import Where, conditions
from gateway.principal import Principal
from gateway.queries.entries import Clause, body_filters, filters
from schemas import object_where
from schemas.indexes import Kind
from schemas.tables import COLLECTIONS

DOCUMENTS: Final = "documents"
ALL_COLLECTIONS: Final = "collections"
_PREFIX: Final = f"{ALL_COLLECTIONS}/"
_OF_OBJECTS: Final = {"kind": Kind.OBJECT}
_LEFT_OUT: Final = "Documents were left out, because where has no meaning for them: {}"


@dataclass(frozen=True, slots=True)
class Places:
    """What is searched, as it was asked for: `documents` or not, and the collections by their ids.

    `objects` tells whether any were asked for, which is so too where a key reads none of them.
    """

    names: tuple[str, ...]
    documents: bool
    objects: bool
    collections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Filter clauses of entries, what a cursor is bound to of them, and what to tell the reader."""

    clauses: tuple[Clause, ...]
    bound: str
    notices: tuple[str, ...]


def narrowed(places: Places, where: Where) -> Narrowed:
    """Returns: the filters under which an entry is of these places, and `where` holds of it.

    Documents and objects read `where` in a language of their own. What one of them has no name for
    leaves it out, if the other has one.

    Raises:
        InvalidInput: `where` cannot be used.
    """
    sides: list[Clause] = []
    conditions_of: list[list[Clause]] = []
    refused: list[InvalidInput] = []
    for wanted, place, read in (
        # Entries that an older release has written do not say that they are of documents.
        (places.documents, {"bool": {"must_not": [{"term": _OF_OBJECTS}]}}, _on_documents),
        (places.objects, {"terms": {"collection_id": list(places.collections)}}, _on_objects),
    ):
        if not wanted:
            continue
        try:
            clauses = read(where)
        except InvalidInput as error:
            refused.append(error)
            continue
        conditions_of.append(clauses)
        sides.append({"bool": {"filter": [place, *clauses]}})
    if not sides:
        raise refused[0]
    return Narrowed(
        ({"bool": {"should": sides, "minimum_should_match": 1}},),
        json.dumps([places.names, conditions_of]),
        tuple(_LEFT_OUT.format(error.detail) for error in refused),
    )


def _on_documents(where: Where) -> list[Clause]:
    return filters(conditions(where))


def _on_objects(where: Where) -> list[Clause]:
    return body_filters(conditions(where, object_where.parse))


async def resolved(reader: Reader, principal: Principal, names: Sequence[str]) -> Places:
    """Returns: the places of these names; `collections` is each that search finds and key may read.

    Raises:
        Forbidden: the key may not read one of them.
        InvalidInput: a collection that is named is not there, or search does not find its objects.
    """
    if DOCUMENTS in names and not principal.may("read"):
        detail = 'this key may not read documents; name its collections, as in "collections/diary"'
        raise Forbidden(detail)
    named = [name.removeprefix(_PREFIX) for name in names if name.startswith(_PREFIX)]
    for name in named:
        if not principal.may("read", name):
            raise Forbidden(f"this key may not read the collection {name}")
    if not named and ALL_COLLECTIONS not in names:
        return Places(tuple(names), documents=True, objects=False)
    known = await _known(reader, principal)
    for name in named:
        if name not in known:
            raise _wrong(names, name, f"there is no collection {name}")
        if not known[name][1]:
            detail = f"search does not find the objects of {name}: declare its search.fields"
            raise _wrong(names, name, detail)
    every = [name for name in known if known[name][1] and principal.may("read", name)]
    chosen = every if ALL_COLLECTIONS in names else named
    ids = tuple(dict.fromkeys(known[name][0] for name in chosen))
    return Places(tuple(names), DOCUMENTS in names, objects=True, collections=ids)


def _wrong(names: Sequence[str], name: str, detail: str) -> InvalidInput:
    return InvalidInput.at(f"/in/{names.index(_PREFIX + name)}", detail)


async def _known(reader: Reader, principal: Principal) -> dict[str, tuple[str, bool]]:
    """Returns: by name the id of each collection, and whether search finds its objects."""
    columns = COLLECTIONS.c
    declared = func.coalesce(func.jsonb_typeof(columns.search) == "object", False)
    query = (
        select(columns.name, columns.collection_id, declared.label("declared"))
        .where(columns.gpt_id == principal.gpt_id, columns.deleted_at.is_(None))
        .order_by(columns.name)
    )
    rows = await reader.rows(query, principal.gpt_id)
    return {row["name"]: (row["collection_id"], row["declared"]) for row in rows}

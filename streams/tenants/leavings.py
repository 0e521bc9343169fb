"""What a deleted tenant leaves, in the order in which it goes, page by page.

Each table's rows are walked in the order of an index. The tenant's tombstone bars new documents and
collections, so that a walk that has ended has met all of them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    Table,
    Text,
    and_,
    cast,
    delete,
    func,
    literal,
    null,
    select,
    text,
    tuple_,
    update,
)
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.messages import DeleteDocument, Message
from schemas.states import SETTLED
from schemas.tables import (
    API_KEYS,
    BATCH_ENTRIES,
    BATCH_TALLIES,
    BATCHES,
    COLLECTIONS,
    DEAD_LETTERS,
    DOCUMENT_TYPES,
    DOCUMENTS,
    EVENTS,
    REQUESTS,
    STEPS,
    WEBHOOK_DELIVERIES,
    WEBHOOKS,
)
from schemas.topics import Topic
from schemas.writes import CollectionDeleted
from streams.clients.postgres import Database

_KEPT_OUTPUTS: Final = ("delete", "purge", "clear")
"""Stages that remove things: their outputs are still to be published, and hold nothing but ids."""


Following = tuple[Topic[Any], str, Message]


class Place(BaseModel):
    """How far the removal has come: which walk it is in, and the last row that it has passed."""

    model_config = ConfigDict(frozen=True)

    walk: int = 0
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Walk:
    """The rows of one table, at most so many at once, and what becomes of them.

    `ends` is run on the rows that were read; `follows` gives the record that has another stage
    remove what belongs to a row.
    """

    table: Table
    order: tuple[str, ...]
    most: int
    only: tuple[ColumnElement[bool], ...] = ()
    ends: Callable[[ColumnElement[bool]], Executable] | None = None
    follows: Callable[[Row[Any]], Following] | None = None

    def page(self, gpt_id: str, after: Sequence[str]) -> Select[Any]:
        """Returns: the query of the next rows, those behind `after`."""
        columns = [self.table.c[name] for name in self.order]
        query = select(*columns).where(*self._left(gpt_id, after)).order_by(*columns)
        return query.limit(self.most)

    def ended(self, gpt_id: str, after: Sequence[str], last: Sequence[str]) -> list[Executable]:
        """Returns: the statements that end the rows behind `after` up to `last`."""
        if self.ends is None:
            return []
        upto = self._place() <= self._bound(last)
        return [self.ends(and_(*self._left(gpt_id, after), upto))]

    def following(self, rows: Sequence[Row[Any]]) -> list[Following]:
        """Returns: topic, key and message of the records that follow from these rows."""
        return [] if self.follows is None else [self.follows(row) for row in rows]

    def _left(self, gpt_id: str, after: Sequence[str]) -> list[ColumnElement[bool]]:
        conditions = [self.table.c.gpt_id == gpt_id, *self.only]
        if after:
            conditions.append(self._place() > self._bound(after))
        return conditions

    def _place(self) -> ColumnElement[Any]:
        return tuple_(*(self.table.c[name] for name in self.order))

    def _bound(self, values: Sequence[str]) -> ColumnElement[Any]:
        kinds = (self.table.c[name].type for name in self.order)
        pairs = zip(values, kinds, strict=True)
        return tuple_(*(cast(literal(value, Text), kind) for value, kind in pairs))


async def next_page(
    database: Database, gpt_id: str, place: Place
) -> tuple[Walk, Sequence[Row[Any]], Place] | None:
    """Returns: the next rows that are to end, with their walk and its place behind them.

    None once all walks have ended.
    """
    walk, after = place.walk, place.after
    async with database.transaction() as connection:
        while walk < len(WALKS):
            rows = (await connection.execute(WALKS[walk].page(gpt_id, after))).all()
            if rows:
                return WALKS[walk], rows, Place(walk=walk, after=tuple(map(str, rows[-1])))
            walk, after = walk + 1, ()
    return None


def _removed(table: Table) -> Callable[[ColumnElement[bool]], Executable]:
    return lambda rows: delete(table).where(rows)


def _marked(rows: ColumnElement[bool]) -> Executable:
    return update(COLLECTIONS).where(rows).values(deleted_at=func.now(), updated_at=func.now())


def _emptied(rows: ColumnElement[bool]) -> Executable:
    return update(DEAD_LETTERS).where(rows).values(record_value=None)


def _untold(rows: ColumnElement[bool]) -> Executable:
    empty = {"data": text("'{}'::jsonb"), "subject": None, "correlation_id": None}
    return update(EVENTS).where(rows).values(**empty)


def _silenced(rows: ColumnElement[bool]) -> Executable:
    empty = {"outputs": text("'[]'::jsonb"), "detail": null(), "problem": null()}
    return update(STEPS).where(rows).values(**empty)


def _delete_document(row: Row[Any]) -> Following:
    message = DeleteDocument(document_id=row.document_id)
    return topics.DELETE_DOCUMENT, row.document_id, message


def _clear_collection(row: Row[Any]) -> Following:
    message = CollectionDeleted(collection_id=row.collection_id)
    return topics.COLLECTION_DELETED, row.collection_id, message


WALKS: Final = (
    Walk(
        DOCUMENTS,
        ("created_at", "document_id"),
        300,
        only=(DOCUMENTS.c.deleted_at.is_(None),),
        follows=_delete_document,
    ),
    Walk(
        COLLECTIONS,
        ("collection_id",),
        300,
        only=(COLLECTIONS.c.deleted_at.is_(None),),
        ends=_marked,
        follows=_clear_collection,
    ),
    Walk(BATCHES, ("created_at", "batch_id"), 1000, ends=_removed(BATCHES)),
    Walk(BATCH_ENTRIES, ("batch_id", "ordinal"), 1000, ends=_removed(BATCH_ENTRIES)),
    Walk(BATCH_TALLIES, ("batch_id", "state", "label"), 1000, ends=_removed(BATCH_TALLIES)),
    Walk(DOCUMENT_TYPES, ("name",), 1000, ends=_removed(DOCUMENT_TYPES)),
    Walk(API_KEYS, ("created_at", "key_id"), 1000, ends=_removed(API_KEYS)),
    Walk(REQUESTS, ("created_at", "request_id"), 2000, ends=_removed(REQUESTS)),
    # Without endpoints no more deliveries are entered.
    Walk(WEBHOOKS, ("created_at", "webhook_id"), 1000, ends=_removed(WEBHOOKS)),
    Walk(WEBHOOK_DELIVERIES, ("webhook_id", "sequence"), 2000, ends=_removed(WEBHOOK_DELIVERIES)),
    Walk(EVENTS, ("sequence",), 2000, ends=_untold),
    Walk(
        DEAD_LETTERS,
        ("created_at", "dead_letter_id"),
        500,
        only=(DEAD_LETTERS.c.record_value.is_not(None),),
        ends=_emptied,
    ),
    Walk(
        STEPS,
        ("run_id", "stage", "part"),
        1000,
        only=(
            STEPS.c.state.in_([str(state) for state in SETTLED]),
            STEPS.c.stage.not_in(_KEPT_OUTPUTS),
        ),
        ends=_silenced,
    ),
)
"""Documents and collections go by the stages that remove them otherwise too. Without its row a
batch takes nothing and lets nothing in, so its entries go after it. Of events the rows stay, so
that their numbers have no gaps; of dead letters and steps, so that no record that comes again is
worked off. What they said does not."""

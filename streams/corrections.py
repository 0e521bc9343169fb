"""What people corrected, laid over a machine's answer by the statement that stores the answer.

The statement reads the corrections itself, under the lock of the commit: one that was made while
the machine was still at work is not lost.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Subquery, Text, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on

from schemas.tables import CORRECTIONS, RUNS
from streams.clients.postgres import Database

TYPE = "type"
"""The name under which a document's type is corrected."""


async def type_of(database: Database, document_id: str) -> str | None:
    """Returns: the type that a person gave the document last, if one did."""
    query = (
        select(CORRECTIONS.c.value)
        .where(CORRECTIONS.c.document_id == document_id, CORRECTIONS.c.name == TYPE)
        .order_by(CORRECTIONS.c.corrected_at.desc())
        .limit(1)
    )
    async with database.transaction() as connection:
        found: str | None = (await connection.execute(query)).scalar_one_or_none()
    return found


def type_over(found: str, document_id: str, run_id: str) -> ColumnElement[Any]:
    """Returns: the type that a person gave since the run began, or else the one found."""
    given = (
        select(CORRECTIONS.c.value.op("#>>")(literal([], ARRAY(Text))))
        .where(
            CORRECTIONS.c.document_id == document_id,
            CORRECTIONS.c.name == TYPE,
            CORRECTIONS.c.corrected_at >= _began(run_id),
        )
        .order_by(CORRECTIONS.c.corrected_at.desc())
        .limit(1)
        .scalar_subquery()
    )
    return func.coalesce(given, found)


def fields_over(
    found: Mapping[str, Any], document_id: str, run_id: str, *, known: Sequence[str]
) -> ColumnElement[Any]:
    """Returns: the fields found, with the last correction of each laid over; null takes one away.

    Of earlier corrections, those of fields that the type knows; of those made since the run began,
    all.
    """
    latest = _latest(document_id, run_id, known)
    absent = func.coalesce(func.jsonb_typeof(latest.c.value), "null") == "null"
    given = select(
        func.coalesce(
            func.jsonb_object_agg(latest.c.name, latest.c.value).filter(~absent),
            literal({}, JSONB),
        )
    ).scalar_subquery()
    gone = select(
        func.coalesce(func.array_agg(latest.c.name).filter(absent), cast([], ARRAY(Text)))
    ).scalar_subquery()
    return literal(dict(found), JSONB).op("||")(given).op("-")(gone)


def _latest(document_id: str, run_id: str, known: Sequence[str]) -> Subquery:
    return (
        select(CORRECTIONS.c.name, CORRECTIONS.c.value)
        .ext(distinct_on(CORRECTIONS.c.name))
        .where(
            CORRECTIONS.c.document_id == document_id,
            CORRECTIONS.c.name != TYPE,
            or_(CORRECTIONS.c.name.in_(known), CORRECTIONS.c.corrected_at >= _began(run_id)),
        )
        .order_by(CORRECTIONS.c.name, CORRECTIONS.c.corrected_at.desc())
        .subquery()
    )


def _began(run_id: str) -> ColumnElement[Any]:
    return select(RUNS.c.created_at).where(RUNS.c.run_id == run_id).scalar_subquery()

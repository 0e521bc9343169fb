"""What people correct: checked, kept beside the machine's answer, and laid over later answers.

The statement that stores an answer reads the corrections itself, under the lock of the commit: one
that was made while the machine was still at work is not lost.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import JsonValue
from sqlalchemy import ColumnElement, Subquery, Text, cast, func, literal, or_, select
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, distinct_on, insert
from sqlalchemy.sql.base import Executable

from schemas.document_types import DocumentType
from schemas.tables import CORRECTIONS, RUNS
from streams.clients.postgres import Database
from streams.errors import Refused
from streams.stage import Work

TYPE = "type"
"""The name under which a document's type is corrected."""


def check(
    fields: Mapping[str, JsonValue] | None,
    type_name: str | None,
    types: Mapping[str, DocumentType],
    present: str | None,
) -> None:
    """Raises: Refused (422): the type is unknown, or it has no such field."""
    if type_name is not None and type_name not in types:
        known = ", ".join(sorted(types))
        raise Refused("unknown_type", f"There is no type of that name; there are {known}.", 422)
    known_type = types.get(type_name or present or "")
    properties = known_type.fields.properties if known_type is not None else {}
    unknown = sorted(set(fields or ()) - set(properties))
    if unknown:
        detail = f"The type has no field {', '.join(unknown)}."
        raise Refused("unknown_field", detail, 422)


def laid_over(
    fields: Mapping[str, JsonValue], corrected: Mapping[str, JsonValue]
) -> dict[str, JsonValue]:
    """Returns: the effective fields; a correction to null takes a field away."""
    return {name: value for name, value in {**fields, **corrected}.items() if value is not None}


def given(fields: Mapping[str, JsonValue] | None, type_name: str | None) -> dict[str, JsonValue]:
    """Returns: what is corrected by name, the type under `TYPE`."""
    return {**(fields or {}), **({} if type_name is None else {TYPE: type_name})}


def entries(
    work: Work,
    document_id: str,
    by: str,
    corrected: Mapping[str, JsonValue],
    machine: Mapping[str, Any],
) -> list[Executable]:
    """Returns: the statement that keeps corrections beside the machine's answer, if there are any.

    Both are by name, with the type under `TYPE`.
    """
    if not corrected:
        return []
    rows = [
        {
            "request_id": work.request_id,
            "name": name,
            "gpt_id": work.gpt_id,
            "document_id": document_id,
            "value": value,
            "machine_value": machine.get(name),
            "corrected_by": by,
        }
        for name, value in corrected.items()
    ]
    return [insert(CORRECTIONS).values(rows).on_conflict_do_nothing()]


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

"""Reads of dead letters: a page of them, and one with its record."""

import codecs
import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import LargeBinary, func, select, tuple_

from gateway.catalogue import type_uri
from gateway.database import Reader, Row
from gateway.principal import Principal
from gateway.queries.scope import owned
from schemas.api.dead_letters import DeadLetter, DeadLetterDetail, DeadLetterPage, LetterFilter
from schemas.api.model import storable
from schemas.tables import DEAD_LETTERS

_SHOWN_BYTES: Final = 48 * 1024
"""Bytes of a value; in base64 they leave room in the 100,000 characters that a GPT takes."""

_LISTED: Final = tuple(DeadLetter.model_fields)


async def page(
    reader: Reader,
    principal: Principal,
    wanted: LetterFilter,
    after: tuple[datetime, str] | None,
) -> DeadLetterPage:
    """Returns: up to `limit` letters, newest first, behind the position `after`.

    The page bears no cursor yet; `has_more` says whether it is to have one.
    """
    columns = DEAD_LETTERS.c
    order = (columns.created_at, columns.dead_letter_id)
    statement = (
        select(*(columns[name] for name in _LISTED))
        .where(*owned(DEAD_LETTERS, principal), columns.state == wanted.state)
        .order_by(*(column.desc() for column in order))
        .limit(wanted.limit + 1)
    )
    if wanted.stage is not None:
        statement = statement.where(columns.stage == wanted.stage)
    if wanted.error is not None:
        statement = statement.where(columns.error == wanted.error)
    if wanted.since is not None:
        statement = statement.where(columns.created_at >= wanted.since)
    if wanted.until is not None:
        statement = statement.where(columns.created_at < wanted.until)
    if wanted.batch_id is not None:
        statement = statement.where(columns.batch_id == wanted.batch_id)
    if wanted.document_id is not None:
        statement = statement.where(columns.document_id == wanted.document_id)
    if after is not None:
        statement = statement.where(tuple_(*order) < tuple_(*after))
    rows = await reader.rows(statement, principal.gpt_id)
    items = [DeadLetter(**row) for row in rows[: wanted.limit]]
    return DeadLetterPage(items=items, next_cursor=None, has_more=len(rows) > len(items))


async def find(reader: Reader, principal: Principal, letter_id: str) -> DeadLetterDetail | None:
    """Returns: a letter with its record, the value bounded; None if the tenant has no such one."""
    columns = DEAD_LETTERS.c
    statement = select(
        *(columns[name] for name in (*_LISTED, "run_id", "part", "topic", "partition", "headers")),
        columns.record_offset.label("offset"),
        columns.record_key,
        func.octet_length(columns.record_value).label("value_bytes"),
        func.substr(columns.record_value, 1, _SHOWN_BYTES, type_=LargeBinary).label("value"),
    ).where(columns.dead_letter_id == letter_id, *owned(DEAD_LETTERS, principal))
    row = await reader.row(statement, principal.gpt_id)
    return None if row is None else _detail(row)


def _detail(row: Row) -> DeadLetterDetail:
    key = row["record_key"]
    headers = {name: _readable(b64decode(value)) for name, value in row["headers"]}
    truncated = (row["value_bytes"] or 0) > _SHOWN_BYTES
    kept = {name: value for name, value in row.items() if name != "record_key"}
    return DeadLetterDetail(
        **{
            **kept,
            **_value(row["value"], truncated=truncated),
            "problem_type": type_uri(row["error"]),
            "key": None if key is None else _readable(key),
            "headers": headers,
            "truncated": truncated,
        }
    )


def _readable(value: bytes) -> str:
    return value.decode(errors="replace")


def _value(value: bytes | None, *, truncated: bool) -> Mapping[str, Any]:
    """Returns: a record's value and its format: JSON if it is that, else text, else base64."""
    if value is None:
        return {"value": None, "value_format": None}
    try:
        # A character that the bound cuts in two is left out.
        text = codecs.getincrementaldecoder("utf-8")().decode(value, final=not truncated)
    except UnicodeDecodeError:
        return {"value": b64encode(value).decode(), "value_format": "base64"}
    try:
        return {"value": storable(json.loads(text)), "value_format": "json"}
    except (ValueError, RecursionError):
        return {"value": text, "value_format": "text"}

"""Reads of GPTs and their keys, of all tenants: for those who administer."""

from datetime import datetime

from sqlalchemy import select, tuple_

from gateway.database import EVERYONE, Reader
from gateway.errors import Deleted, NotFound
from schemas.api.tenants import ApiKey, ApiKeyPage, Gpt, GptPage, KeyFacts
from schemas.tables import API_KEYS, GPTS
from schemas.tables.edge import KEY_USES

_GPT = [GPTS.c[name] for name in Gpt.model_fields]
_KEY = [API_KEYS.c[name] for name in KeyFacts.model_fields]


async def gpts(reader: Reader, after: str | None, limit: int) -> GptPage:
    """Returns: up to `limit` GPTs by their ids, behind the id `after`, without a cursor yet."""
    query = select(*_GPT).where(GPTS.c.deleted_at.is_(None)).order_by(GPTS.c.gpt_id)
    if after is not None:
        query = query.where(GPTS.c.gpt_id > after)
    rows = await reader.rows(query.limit(limit + 1), EVERYONE)
    items = [Gpt(**row) for row in rows[:limit]]
    return GptPage(items=items, next_cursor=None, has_more=len(rows) > limit)


async def gpt(reader: Reader, gpt_id: str) -> Gpt:
    """Returns: a GPT. Raises: NotFound: there is none. Deleted: it was deleted."""
    row = await reader.row(select(*_GPT).where(GPTS.c.gpt_id == gpt_id), EVERYONE)
    if row is None:
        raise NotFound("there is no such GPT; check the id")
    if row["deleted_at"] is not None:
        raise Deleted("the GPT was deleted")
    return Gpt(**row)


async def keys(
    reader: Reader, gpt_id: str, after: tuple[datetime, str] | None, limit: int
) -> ApiKeyPage:
    """Returns: up to `limit` keys of a GPT, oldest first, behind `after`, without a cursor yet."""
    columns = API_KEYS.c
    order = (columns.created_at, columns.key_id)
    query = (
        select(*_KEY, KEY_USES.c.used_at.label("last_used_at"))
        .outerjoin_from(API_KEYS, KEY_USES, KEY_USES.c.key_id == columns.key_id)
        .where(columns.gpt_id == gpt_id)
        .order_by(*order)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*after))
    rows = await reader.rows(query, EVERYONE)
    items = [ApiKey(**row) for row in rows[:limit]]
    return ApiKeyPage(items=items, next_cursor=None, has_more=len(rows) > limit)


async def key(reader: Reader, gpt_id: str, key_id: str) -> KeyFacts:
    """Returns: a key of a GPT. Raises: NotFound: there is none."""
    columns = API_KEYS.c
    query = select(*_KEY).where(columns.gpt_id == gpt_id, columns.key_id == key_id)
    row = await reader.row(query, EVERYONE)
    if row is None:
        raise NotFound("the GPT has no such key; check the ids")
    return KeyFacts(**row)

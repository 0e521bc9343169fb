"""Pages of a collection's objects in the order of their creation, as ready JSON.

Creation is strictly ordered within a collection and committed in that order, so a page's end is a
place that nothing can be written before: going on from it skips nothing and repeats nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries.objects import ALIVE, HEAD, TIME

PAGE_CHARS: Final = 90_000
"""About what a page holds at most, if it has more than one object; GPTs take 100,000."""

MOST_COUNTED: Final = 10_000

_ROW_CHARS: Final = 360
"""What an object takes beside its body."""

_SIGN: Final = {"asc": ">", "desc": "<"}
_SUBJECT: Final = " AND o.subject = %(subject)s"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to hold. `conditions` are SQL on `o`, `values` what they are compared with.

    `budget` are the bytes of bodies behind which a page ends, `after` the place of the last object
    of the page before: when it was created, and its id.
    """

    name: str
    limit: int
    order: Literal["asc", "desc"] = "asc"
    after: tuple[str, str] | None = None
    conditions: tuple[str, ...] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    budget: int = PAGE_CHARS


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a page; its JSON is `head`, the JSON of its body, and a brace."""

    created_at: str
    object_id: str
    head: str
    body: str


@dataclass(frozen=True, slots=True)
class Page:
    """Objects, and whether there are more behind them."""

    items: list[Item]
    has_more: bool


async def page(direct: Direct, principal: Principal, wanted: Wanted) -> Page | None:
    """Returns: a page of the collection of that name; none where there is no such collection."""
    found = await direct.rows(
        principal.gpt_id, _statement(principal, wanted), _values(principal, wanted)
    )
    if not found:
        return None
    items = [Item(*row) for row in found[: wanted.limit] if row[3] is not None]
    there = sum(row[1] is not None for row in found)
    return Page(items, has_more=there > len(items))


async def count(direct: Direct, principal: Principal, wanted: Wanted) -> int:
    """Returns: how many objects match in all, at most one more than `MOST_COUNTED`."""
    statement = f"""
SELECT count(*) FROM (
  SELECT 1 FROM collections c JOIN tenant_objects o ON o.collection_id = c.collection_id
  WHERE {_COLLECTION} AND {_conditions(principal, wanted)} LIMIT {MOST_COUNTED + 1}) counted"""  # noqa: S608 - of our own parts
    row = await direct.row(principal.gpt_id, statement, _values(principal, wanted))
    return 0 if row is None else int(row[0])


_COLLECTION: Final = "c.gpt_id = %(gpt_id)s AND c.name = %(name)s AND c.deleted_at IS NULL"


def _statement(principal: Principal, wanted: Wanted) -> str:
    order = f"o.created_at {wanted.order}, o.object_id {wanted.order}"
    place = f"(o.created_at, o.object_id) {_SIGN[wanted.order]} (%(time)s::timestamptz, %(id)s)"
    behind = "" if wanted.after is None else f" AND {place}"
    return f"""
SELECT p.* FROM collections c LEFT JOIN LATERAL (
  SELECT to_char(o.created_at, '{TIME}'), o.object_id, {HEAD},
         CASE WHEN o.before < %(budget)s THEN o.body::text END
  FROM (
    SELECT o.*, sum(o.size_bytes + {_ROW_CHARS}) OVER (ORDER BY {order} ROWS UNBOUNDED PRECEDING)
           - o.size_bytes - {_ROW_CHARS} AS before
    FROM (
      SELECT o.* FROM tenant_objects o
      WHERE o.collection_id = c.collection_id AND {_conditions(principal, wanted)}{behind}
      ORDER BY {order} LIMIT %(limit)s) o) o
  ORDER BY {order}) p ON true
WHERE {_COLLECTION}"""  # noqa: S608 - put together of our own parts; values go as parameters


def _conditions(principal: Principal, wanted: Wanted) -> str:
    subject = "" if principal.subject is None else _SUBJECT
    own = "o.gpt_id = c.gpt_id"
    return " AND ".join((own, ALIVE, *wanted.conditions)) + subject


def _values(principal: Principal, wanted: Wanted) -> dict[str, Any]:
    time, object_id = wanted.after or (None, None)
    return {
        **wanted.values,
        "gpt_id": principal.gpt_id,
        "subject": principal.subject,
        "name": wanted.name,
        "time": time,
        "id": object_id,
        "limit": wanted.limit + 1,
        "budget": wanted.budget,
    }

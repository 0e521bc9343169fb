"""Pages of a collection's objects in the order of their creation, as ready JSON.

Creation is strictly ordered within a collection and committed in that order, so a page's end is a
place that nothing can be written before: going on from it skips nothing and repeats nothing.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

from gateway.direct import Direct
from gateway.principal import Principal
from gateway.queries.object_filters import Filter
from gateway.queries.objects import ALIVE, HEAD, TIME, head
from gateway.queries.scope import seen

PAGE_CHARS: Final = 90_000
"""About what a page holds at most, if it has more than one object; GPTs take 100,000."""

MOST_COUNTED: Final = 10_000

PROBED: Final = 1000
"""How many of the next objects are looked at before an index is asked for all that match."""

_AT_ONCE_BYTES: Final = 1500
"""Bodies up to this are read with the page's rows; of larger ones those alone that fit the page."""

_UPDATED: Final = f"to_char(o.updated_at, '{TIME}')"

_SIGN: Final = {"asc": ">", "desc": "<"}


Item = tuple[str, str, str, str]
"""When an object was created, its id, its JSON up to its body, and its body's JSON."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a page is to hold.

    `after` is the place of the last object of the page before: when it was created, and its id.
    `budget` is how long its objects' JSON may be, unless there is only one.
    """

    name: str
    limit: int
    order: Literal["asc", "desc"] = "asc"
    after: tuple[str, str] | None = None
    filter: Filter = field(default_factory=Filter)
    budget: int = PAGE_CHARS


@dataclass(frozen=True, slots=True)
class Page:
    """Objects, and the place of the last one if there are more behind it."""

    items: list[Item]
    following: tuple[str, str] | None


async def page(direct: Direct, principal: Principal, wanted: Wanted) -> Page | None:
    """Returns: a page of the collection of that name; none where there is no such collection.

    Raises:
        TookTooLong: no index serves the filter, and the collection is too large to look through.
    """
    found: list[Any] = []
    for statement in statements(principal, wanted):
        found = await direct.walk(principal.gpt_id, statement, values_of(principal, wanted))
        if len(found) > wanted.limit:
            break
    if not found:
        return None
    if found[0][0] is None:
        return Page([], None)
    rows = _fitting(found[: wanted.limit], wanted.budget)
    following = rows[-1][:2] if len(found) > len(rows) else None
    return Page(await _whole(direct, principal, rows), following)


def _fitting(rows: list[Any], budget: int) -> list[Any]:
    """Returns: the first rows, as many as the budget is for and at least one."""
    for number, (_, _, head_of, body, size_bytes) in enumerate(rows):
        budget -= len(head_of) + (size_bytes if body is None else len(body))
        if budget < 0 and number:
            return rows[:number]
    return rows


async def _whole(direct: Direct, principal: Principal, rows: list[Any]) -> list[Item]:
    """Returns: the objects of rows, with the bodies that were not read with them.

    An object that was changed meanwhile is as it is now; one that was deleted is left out.
    """
    large = [row[1] for row in rows if row[3] is None]
    if not large:
        return [row[:4] for row in rows]
    scope, subject = seen(principal)
    read = await direct.rows(principal.gpt_id, _LARGE + scope, (principal.gpt_id, large, *subject))
    now = {object_id: rest for object_id, *rest in read}
    return [
        (at, object_id, *(now[object_id] if body is None else (head_of, body)))
        for at, object_id, head_of, body, _ in rows
        if body is not None or object_id in now
    ]


def statements(principal: Principal, wanted: Wanted) -> list[str]:
    """Returns: what to ask for a page, one after the other, until one fills it.

    What matches often fills a page from the next objects in order; what does not, an index finds.
    """
    sources = [_PROBED, _MATCHED] if wanted.filter.served == "set" else [_PLAIN]
    own, conditions, goes_on = _own(principal), _conditions(wanted), wanted.after is not None
    return [
        _statement(source, own, conditions, wanted.order, int(wanted.limit), goes_on)
        for source in sources
    ]


async def count(direct: Direct, principal: Principal, wanted: Wanted) -> int:
    """Returns: how many objects match in all, at most one more than `MOST_COUNTED`."""
    statement = f"""
SELECT count(*) FROM (
  SELECT 1 FROM collections c JOIN tenant_objects o ON {_own(principal)}
  WHERE {_COLLECTION}{_conditions(wanted)} LIMIT {MOST_COUNTED + 1}) counted"""  # noqa: S608 - of our own parts
    [row] = await direct.walk(principal.gpt_id, statement, values_of(principal, wanted))
    return int(row[0])


_COLLECTION: Final = "c.gpt_id = %(gpt_id)s AND c.name = %(name)s AND c.deleted_at IS NULL"
_PLAIN: Final = "tenant_objects o WHERE {own}{conditions}{behind}"
_PROBED: Final = """(
    SELECT o.* FROM tenant_objects o WHERE {own}{behind} ORDER BY {order} LIMIT %(probed)s
  ) o WHERE true{conditions}"""
# Else Postgres may go through the whole collection in order, hoping for a match.
_MATCHED: Final = """(
    WITH found AS MATERIALIZED (
      SELECT o.object_id, o.created_at FROM tenant_objects o WHERE {own}{conditions})
    SELECT o.object_id FROM found o WHERE true{behind} ORDER BY {order} LIMIT {limit}
  ) page JOIN tenant_objects o ON o.object_id = page.object_id"""


_LARGE: Final = f"""
SELECT o.object_id, {HEAD}, o.body::text
FROM tenant_objects o JOIN collections c ON c.collection_id = o.collection_id
WHERE c.deleted_at IS NULL AND {ALIVE} AND o.gpt_id = %s AND o.object_id = ANY(%s)"""  # noqa: S608 - of our own parts; values go as parameters


@lru_cache(maxsize=512)
def _statement(  # noqa: PLR0917 - what tells statements apart
    source: str,
    own: str,
    conditions: str,
    direction: str,
    limit: int,
    goes_on: bool,  # noqa: FBT001 - as above
) -> str:
    order = f"o.created_at {direction}, o.object_id {direction}"
    place = f"(o.created_at, o.object_id) {_SIGN[direction]} (%(time)s::timestamptz, %(id)s)"
    # Written out: without knowing it, Postgres expects a tenth of all rows, finds a plan for that
    # dear, and so plans each page anew, which takes as long as reading it.
    number = limit + 1
    rows = source.format(
        own=own,
        conditions=conditions,
        behind=f" AND {place}" if goes_on else "",
        order=order,
        limit=number,
    )
    # Behind OFFSET 0 the time is written once a row, however often it stands in the JSON.
    shown = head("o.at", f"CASE o.updated_at WHEN o.created_at THEN o.at ELSE {_UPDATED} END")
    small = f"o.size_bytes <= {_AT_ONCE_BYTES}"
    return f"""
SELECT p.* FROM collections c LEFT JOIN LATERAL (
  SELECT o.at, o.object_id, {shown}, CASE WHEN {small} THEN o.body::text END, o.size_bytes
  FROM (
    SELECT o.*, to_char(o.created_at, '{TIME}') AS at
    FROM (SELECT o.* FROM {rows} ORDER BY {order} LIMIT {number}) o OFFSET 0) o
  ORDER BY {order}) p ON true
WHERE {_COLLECTION}"""  # noqa: S608 - put together of our own parts; values go as parameters


def _own(principal: Principal) -> str:
    subject = "" if principal.subject is None else " AND o.subject = %(subject)s"
    return f"o.collection_id = c.collection_id AND o.gpt_id = c.gpt_id AND {ALIVE}{subject}"


def _conditions(wanted: Wanted) -> str:
    return "".join(f" AND {one}" for one in wanted.filter.conditions)


def values_of(principal: Principal, wanted: Wanted) -> dict[str, Any]:
    """Returns: the values that stand in these statements, by name."""
    time, object_id = wanted.after or (None, None)
    return {
        **wanted.filter.values,
        "gpt_id": principal.gpt_id,
        "subject": principal.subject,
        "name": wanted.name,
        "time": time,
        "id": object_id,
        "probed": PROBED,
    }

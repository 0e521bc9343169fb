"""Reads of events: where they begin and end, and a bounded page of them.

A tenant's counter is changed with its events, so within one statement everything up to it is there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from gateway.database import EVERYONE
from gateway.direct import Direct
from gateway.events import event
from gateway.events.event import Event
from gateway.events.places import Bounds
from gateway.events.wanted import Wanted

COLUMNS: Final = (
    "e.sequence, e.event_id, e.type, e.subject, e.object_id, e.request_id, e.correlation_id, "
    "e.batch_id, e.data, e.created_at"
)
WINDOW: Final = 5000
"""Events that one page looks at, however few of them are wanted: some ten milliseconds."""

_BOUNDS: Final = "SELECT last, forgotten_sequence FROM event_counters WHERE gpt_id = %s"
_LATEST: Final = "SELECT gpt_id, last FROM event_counters WHERE gpt_id = ANY(%s)"
_AFTER: Final = f"""
SELECT {COLUMNS} FROM events e WHERE e.gpt_id = %s AND e.sequence > %s
ORDER BY e.sequence LIMIT %s"""  # noqa: S608 - of our own parts
_PAGE: Final = f"""
WITH looked_at AS (
  SELECT {COLUMNS} FROM events e
  WHERE e.gpt_id = %(gpt_id)s AND e.sequence > %(since)s {{batch}}
  ORDER BY e.sequence LIMIT {{window}})
SELECT c.last, c.forgotten_sequence, (SELECT max(sequence) FROM looked_at),
       (SELECT count(*) FROM looked_at), found.*
FROM (SELECT 1) one
LEFT JOIN event_counters c ON c.gpt_id = %(gpt_id)s
LEFT JOIN LATERAL (
  SELECT * FROM looked_at e WHERE true {{others}} ORDER BY e.sequence LIMIT {{limit}}) found ON true
ORDER BY found.sequence"""  # noqa: S608 - of our own parts


@dataclass(frozen=True, slots=True)
class Page:
    """Events that are wanted, in their order; `upto` is the number up to which none is left out."""

    events: list[Event]
    upto: int
    bounds: Bounds


async def bounds(direct: Direct, gpt_id: str) -> Bounds:
    """Returns: where a tenant's events begin and end; raises as `Direct.rows` does."""
    found = await direct.row(gpt_id, _BOUNDS, (gpt_id,))
    return Bounds(*found) if found else Bounds(0, 0)


async def latest(direct: Direct, gpt_ids: Sequence[str]) -> dict[str, int]:
    """Returns: the number of each tenant's latest event; raises as `Direct.rows` does."""
    return dict(await direct.rows(EVERYONE, _LATEST, (list(gpt_ids),)))


async def after(direct: Direct, gpt_id: str, since: int, limit: int) -> list[Event]:
    """Returns: the events behind a number, whoever may see them; raises as `Direct.rows` does."""
    rows = await direct.rows(gpt_id, _AFTER, (gpt_id, since, limit))
    return [event.of(gpt_id, row) for row in rows]


async def page(direct: Direct, gpt_id: str, wanted: Wanted, since: int, limit: int) -> Page:
    """Returns: what is wanted of the events behind a number; raises as `Direct.walk` does."""
    batch = "" if wanted.batch_id is None else "AND e.batch_id = %(batch_id)s"
    others = _others(wanted)
    window = WINDOW if others else limit
    # Numbers are written out so that Postgres knows how few rows they mean.
    statement = (
        _PAGE.replace("{batch}", batch)
        .replace("{others}", others)
        .replace("{window}", str(int(window)))
        .replace("{limit}", str(int(limit)))
    )
    given: dict[str, Any] = {
        "gpt_id": gpt_id,
        "since": since,
        "batch_id": wanted.batch_id,
        "end_user": wanted.end_user,
        "object_id": wanted.object_id,
        "types": list(wanted.types),
        "patterns": [one.replace("_", r"\_") + "%" for one in wanted.prefixes],
    }
    rows = await direct.walk(gpt_id, statement, given)
    last, forgotten, furthest, looked_at = rows[0][:4]
    events = [event.of(gpt_id, row[4:]) for row in rows if row[4] is not None]
    if len(events) == limit:
        upto = events[-1].sequence
    else:
        upto = furthest if looked_at == window else max(since, last or 0)
    return Page(events, upto, Bounds(last or 0, forgotten or 0))


def _others(wanted: Wanted) -> str:
    parts = (
        ("AND e.subject = %(end_user)s", wanted.end_user),
        ("AND e.object_id = %(object_id)s", wanted.object_id),
        (
            "AND (e.type = ANY(%(types)s) OR e.type LIKE ANY(%(patterns)s))",
            wanted.types or wanted.prefixes,
        ),
    )
    return " ".join(text for text, value in parts if value)

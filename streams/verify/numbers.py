"""Numbers of events: each tenant's have no gaps, and end where its counter stands.

They begin with 1, or behind those that were removed for their age.
"""

from collections.abc import AsyncIterator
from typing import Any, Final

from sqlalchemy import Row, func, select

from schemas.tables import EVENT_COUNTERS, EVENTS
from streams.verify.difference import Comparison, Difference, Kind, Look
from streams.verify.stores import Stores

_NUMBERS: Final = 5000


async def of_events(stores: Stores, look: Look) -> AsyncIterator[Difference]:
    """Yield tenants whose numbers have gaps, or do not end with their counter."""
    last = (
        select(func.coalesce(func.max(EVENTS.c.sequence), 0))
        .where(EVENTS.c.gpt_id == EVENT_COUNTERS.c.gpt_id)
        .scalar_subquery()
        .label("highest")
    )
    columns = EVENT_COUNTERS.c
    query = select(columns.gpt_id, columns.last, columns.forgotten_sequence, last)
    async for rows in stores.pages(query, EVENT_COUNTERS.c.gpt_id, only=look.only):
        for row in rows:
            wrong = [gap async for gap in _gaps(stores, row)]
            if row.highest != row.last:
                wrong.append(f"the counter stands at {row.last}, the last event is {row.highest}")
            if wrong:
                yield Difference(Kind.EVENT_NUMBERS, row.gpt_id, "; ".join(wrong[:5]), row.gpt_id)
        look.seen(len(rows))


async def _gaps(stores: Stores, tenant: Row[Any]) -> AsyncIterator[str]:
    """Yield the stretches of a tenant's numbers that no event has, and that were not removed."""
    numbers = select(EVENTS.c.sequence).where(
        EVENTS.c.gpt_id == tenant.gpt_id, EVENTS.c.sequence <= tenant.highest
    )
    before = tenant.forgotten_sequence
    async for rows in stores.pages(numbers, EVENTS.c.sequence, size=_NUMBERS):
        # Most pages have none, which their ends tell.
        if rows[-1].sequence - before == len(rows):
            before = rows[-1].sequence
            continue
        for row in rows:
            if row.sequence != before + 1:
                yield f"no events from {before + 1} to {row.sequence - 1}"
            before = row.sequence


async def _tenants(stores: Stores) -> int:
    return await stores.count(select(EVENT_COUNTERS.c.gpt_id))


COMPARISONS: Final = (Comparison("events and their numbers", of_events, _tenants),)

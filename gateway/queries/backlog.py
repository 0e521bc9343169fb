"""Reads of the work that waits, batches apart, and of how fast it goes, of all tenants together."""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import func, select

from gateway.database import EVERYONE, Reader
from schemas.tables import DOCUMENTS, RUNS

MOST_FINISHED: Final = 200
"""Runs that are looked at; where more than these end within a minute, the last of them suffice."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How the runs of all documents stand at one moment, by the database's clock.

    `finished` holds the beginnings and ends of the last runs that ended, the newest first.
    """

    now: datetime
    unfinished: int
    oldest: datetime | None
    finished: tuple[tuple[datetime, datetime], ...]


async def progress(reader: Reader) -> Progress:
    """Returns: how the runs stand.

    Raises:
        Unavailable: Postgres is away, overloaded, or took longer than the limit.
    """
    counted: tuple[Any, ...] = (
        func.now().label("now"),
        func.count().label("unfinished"),
        func.min(RUNS.c.created_at).label("oldest"),
    )
    # What belongs to batches goes beside the others and holds nobody up.
    alone = DOCUMENTS.c.batch_id.is_(None)
    waiting = (
        select(*counted)
        .join(DOCUMENTS, DOCUMENTS.c.document_id == RUNS.c.document_id)
        .where(RUNS.c.completed_at.is_(None), alone)
    )
    ended = (
        select(RUNS.c.created_at, RUNS.c.completed_at)
        .where(RUNS.c.completed_at.is_not(None))
        .order_by(RUNS.c.completed_at.desc())
        .limit(MOST_FINISHED)
    )
    (row,), finished = await asyncio.gather(
        reader.rows(waiting, EVERYONE), reader.rows(ended, EVERYONE)
    )
    return Progress(
        now=row["now"],
        unfinished=row["unfinished"],
        oldest=row["oldest"],
        finished=tuple((one["created_at"], one["completed_at"]) for one in finished),
    )

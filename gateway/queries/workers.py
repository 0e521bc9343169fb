"""Reads of the workers' signs of life."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import func, select, text

from gateway.database import EVERYONE, Reader, Row
from schemas.api.health import Breaker, Worker
from schemas.tables import WORKERS

_ALIVE: Final = text("interval '15 seconds'")
_MOST: Final = 500
_CHARS: Final = 300
_WORST_FIRST: Final = ("open", "half-open", "closed")
_ADDRESS: Final = re.compile(r"\b[a-z][a-z0-9+.-]*://\S+|\b[\w.-]+:\d{2,5}\b|\b\d+(?:\.\d+){3}\b")


async def alive(reader: Reader) -> Sequence[Row]:
    """Returns: stages and state of the workers seen within 15 s.

    Raises:
        Unavailable: Postgres is away, overloaded, or took longer than the limit.
    """
    statement = (
        select(WORKERS.c.stages, WORKERS.c.state)
        .where(WORKERS.c.seen_at > func.now() - _ALIVE)
        .order_by(WORKERS.c.stages, WORKERS.c.started_at)
        .limit(_MOST)
    )
    return await reader.rows(statement, EVERYONE)


def shown(row: Row) -> Worker:
    """Returns: a worker as anyone may see it: without hosts, processes and addresses."""
    state: Mapping[str, Any] = row["state"]
    waits = _plain(state.get("waiting_for"))
    return Worker(
        stages=row["stages"],
        state="waiting" if waits else "working",
        waiting_for=waits,
        stopped_stages=_plain(state.get("stopped_stages")),
        version=state.get("version"),
    )


def breakers(rows: Sequence[Row]) -> list[Breaker]:
    """Returns: by model the worst breaker of all workers."""
    found: dict[str, Breaker] = {}
    for row in rows:
        for model, one in (row["state"].get("models") or {}).items():
            reason = one.get("reason")
            seen = Breaker(
                model=model,
                used_by="workers",
                state=one["state"],
                reason=None if reason is None else _without_address(reason),
            )
            known = found.get(model)
            if known is None or _badness(seen) < _badness(known):
                found[model] = seen
    return [found[model] for model in sorted(found)]


def _badness(breaker: Breaker) -> int:
    return _WORST_FIRST.index(breaker.state)


def _plain(reasons: Mapping[str, str] | None) -> dict[str, str]:
    return {name: _without_address(reason) for name, reason in (reasons or {}).items()}


def _without_address(reason: str) -> str:
    return _ADDRESS.sub("(address)", reason)[:_CHARS]

"""Trying a record again: how often, when, and on which topic it waits meanwhile.

A retry topic holds every record for the same time, so that the first in is the first due, and gives
it back on the stage's own `-again` topic, which nobody else reads.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.sql.base import Executable

from schemas.states import Status, StepState
from schemas.topics import again, delay_after
from streams import replies, wire
from streams.endings import Ending, Wait
from streams.errors import RecordTrouble
from streams.stage import Reading, Record, Scope, Stage, Work
from streams.wire import Incoming

_REPLACED = frozenset({"attempt", "not-before", "return-to"})


@dataclass(frozen=True, slots=True)
class Attempts:
    """How many attempts a record gets: of every stage, or of single ones."""

    usual: int
    of_stage: Mapping[str, int] = field(default_factory=dict)

    def of(self, stage: Reading[Any]) -> int:
        """Returns: the attempts of a stage's records, the first one counted."""
        return self.of_stage.get(stage.name, self.usual)


def ending(
    stage: Stage[Any], work: Work, record: Incoming, error: RecordTrouble, *, failed: int, of: int
) -> Ending:
    """Returns: the ending of an attempt after `failed` failures, of which `of` are allowed."""
    delay = delay_after(failed)
    due = datetime.now(UTC) + timedelta(seconds=delay.seconds)
    kept = tuple(pair for pair in record.headers if pair[0] not in _REPLACED)
    headers = (
        *kept,
        *wire.origin(record),
        ("attempt", str(work.envelope.attempt + 1).encode()),
        ("not-before", str(-(-int(due.timestamp() * 1_000_000) // 1000)).encode()),
        ("return-to", again(stage.name).encode()),
    )
    output = Record(delay.name, record.key, record.value or b"", headers)
    wait = Wait(error.dependency, failed=True, retry_at=due, allowed=of)
    return Ending(StepState.WAITING, waiting(stage, work), (output,), wait=wait)


def waiting(stage: Stage[Any], work: Work) -> list[Executable]:
    """Returns: the statements that show clients that the work waits."""
    return _shown(stage, work, Status.PROCESSING, Status.WAITING)


def resumed(stage: Stage[Any], work: Work) -> Iterator[Executable]:
    """Yield the statements that show clients that the work goes on, made only when asked for."""
    yield from _shown(stage, work, Status.WAITING, Status.PROCESSING)


def _shown(stage: Stage[Any], work: Work, before: Status, after: Status) -> list[Executable]:
    if stage.scope is Scope.NOTHING:
        return []
    whole_run = stage.scope is Scope.RUN and work.document_id is not None
    return replies.moved(work, before, after, whole_run=whole_run)

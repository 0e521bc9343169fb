"""What the ledger says of a run's or a request's steps, and whether anything still brings it on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, func, literal, select
from sqlalchemy.dialects.postgresql import aggregate_order_by

from schemas.states import SETTLED, StepState
from schemas.tables import STEPS

FOLLOWERS: Final = {
    "receive": ("parse",),
    "reprocess": ("parse", "classify", "extract", "index"),
    "parse": ("classify",),
    "classify": ("extract",),
    "extract": ("index",),
    "index": ("complete",),
    "update": ("refresh",),
    "delete": ("purge",),
}
"""The stages that read what a stage publishes."""


@dataclass(frozen=True, slots=True)
class StepSeen:
    """A step, as far as it matters here.

    `alive`: a worker holds it, or its next attempt is not due, or it moved within the margin.
    """

    stage: str
    part: int
    state: str
    attempt: int
    alive: bool
    refused: bool

    @property
    def settled(self) -> bool:
        """Returns: whether its outputs are stored."""
        return self.state in SETTLED

    @property
    def did(self) -> bool:
        """Returns: whether its work was done, and not refused."""
        return self.state == StepState.DONE and not self.refused


def seen(matches: ColumnElement[bool], *, margin: timedelta) -> ColumnElement[Any]:
    """Returns: the steps of a row as JSON, in the order in which they began; `of` reads them."""
    moved = func.greatest(
        STEPS.c.lease_until, STEPS.c.retry_at, STEPS.c.finished_at, STEPS.c.waiting_since
    )
    step = func.jsonb_build_array(
        STEPS.c.stage,
        STEPS.c.part,
        STEPS.c.state,
        STEPS.c.attempt,
        func.coalesce(moved > func.now() - literal(margin), False),
        # An absent problem may be stored as JSON's own null.
        func.coalesce(func.jsonb_typeof(STEPS.c.problem), "null") != "null",
    )
    every = func.jsonb_agg(aggregate_order_by(step, STEPS.c.started_at, STEPS.c.part))
    return select(every).where(matches).scalar_subquery()


def of(value: Sequence[Sequence[Any]] | None) -> list[StepSeen]:
    """Returns: what `seen` has read."""
    return [StepSeen(*step) for step in value or ()]


@dataclass(frozen=True, slots=True)
class Standstill:
    """Nothing holds the work, so only a record could bring it on: of these stages.

    `held`: the record may also be on a retry topic.
    """

    detail: str
    stages: tuple[str, ...]
    held: bool = False


def standstill(steps: Iterable[StepSeen], *, first: Sequence[str]) -> Standstill | None:
    """Returns: where the work stands still; None while a step is alive.

    `first` are the stages whose record begins such work.
    """
    every = list(steps)
    if any(step.alive for step in every):
        return None
    if not every:
        return Standstill("the ledger has no step of it", tuple(first))
    open_ = [step for step in every if not step.settled]
    if open_:
        stage = open_[-1].stage
        detail = f"`{stage}` is {open_[-1].state}, and no worker has it"
        return Standstill(detail, (stage,), held=open_[-1].attempt > 0)
    last = every[-1]
    detail = f"`{last.stage}` is {last.state}, and nothing followed"
    return Standstill(detail, (last.stage, *FOLLOWERS.get(last.stage, ())))

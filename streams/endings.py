"""What the ledger says of a step, and how a step's turn ends."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.sql.base import Executable

from schemas.problems import Problem
from schemas.states import StepState
from streams.stage import Event, Guarded, Record


@dataclass(frozen=True, slots=True)
class Claimed:
    """The step is ours until the lease ends.

    `failures` counts work that answered with an error, `crashes` leases that lapsed without an
    outcome, `crashes_alone` those of them while its worker did nothing else. `cancelled` says that
    there is no work to do any more, only an end to commit.
    """

    fence: int
    failures: int = 0
    crashes: int = 0
    crashes_alone: int = 0
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing is left to do for this record but to publish these outputs again.

    The step came to its end before, or a newer attempt has taken its place.
    """

    outputs: tuple[Record, ...]
    cancelled: bool = False


@dataclass(frozen=True, slots=True)
class Held:
    """Another worker has the step; its lease ends in so many seconds unless it is renewed."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a step waits, as its timeline shows it.

    `retry_at` and `allowed` belong to a wait for another attempt, which `failed` has made needed.
    """

    reason: str
    failed: bool = False
    retry_at: datetime | None = None
    allowed: int | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a record's turn ends: the step's state, what is written, and what is published after it.

    In state `waiting` the step is not over: `wait` says until when, and the only output is the
    record that will come back. `if_deleted` makes the ending that stands if the document bears a
    tombstone, or was cancelled with its batch. `moved` is as in `streams/stage.py:Outcome`.
    """

    state: StepState
    statements: Sequence[Executable | Guarded]
    outputs: tuple[Record, ...]
    problem: Problem | None = None
    if_deleted: "Callable[[], Ending] | None" = None
    events: Sequence[Event] = ()
    wait: Wait | None = None
    moved: Sequence[str] = ()

    def cancelled(self) -> "Ending":
        """Returns: what a cancellation makes of this ending; a refusal is an answer and stands."""
        if self.state is StepState.DONE and self.problem is not None:
            return self
        return self.if_deleted() if self.if_deleted else Ending(StepState.CANCELLED, (), ())

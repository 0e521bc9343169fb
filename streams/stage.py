"""What a stage is: a plain value that knows nothing of Kafka's client or of the worker's life.

A stage takes one topic's message, does its work, and returns an `Outcome`: the statements to run
and the records to publish. The runner does everything else.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import KW_ONLY, dataclass, field
from enum import Enum
from typing import Any, Generic, TypeVar

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.base import Executable

from schemas.envelope import Envelope, Headers
from schemas.events import EventType
from schemas.ids import RUN, Ids
from schemas.messages import Message
from schemas.problems import Problem
from schemas.topics import PROCESS_DOCUMENT, Kind, Topic
from streams.errors import Fenced, Refused

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Output:
    """A record to publish: its key, its message, and its headers where they are not the input's."""

    topic: Topic[Any]
    key: str
    message: Message
    envelope: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Record:
    """A record to publish as it stands."""

    topic: str
    key: bytes | None
    value: bytes
    headers: Headers


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, as `schemas/events.py` names it; it is numbered at commit.

    `object_id` is what it happened to, `batch_id` the batch in which, `subject` the end user whose
    that is. Where they are absent: the step's document, and what its record's headers say.
    """

    type: EventType
    data: dict[str, JsonValue] = field(default_factory=dict)
    object_id: str | None = None
    batch_id: str | None = None
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class Guarded:
    """A statement that must change a row.

    If it changes none, the request is refused, or with `Fenced` the work is done anew.
    """

    statement: Executable
    otherwise: Refused | Fenced


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did.

    `statements` run in one transaction with the step's own row, in their order, and the `events`
    are numbered and stored with them. With `hand_over` the same input is published again as the
    next part, behind the records that wait already. `moved` names the documents whose status or
    type the statements change, and the batches whose sources: the counts of batches follow them.
    """

    statements: Sequence[Executable | Guarded] = ()
    outputs: Sequence[Output | Record] = ()
    hand_over: bool = False
    events: Sequence[Event] = ()
    moved: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class StepKey:
    """The identity of a step of work; the ledger has one row for each."""

    gpt_id: str
    run_id: str
    stage: str
    part: int


@dataclass(frozen=True, slots=True)
class Work:
    """What a handler may know of the step beside the message; `kind` names the request's topic."""

    key: StepKey
    envelope: Envelope
    kind: str
    document_id: str | None
    touches_deleted: bool = False
    parent_id: str | None = None

    @property
    def gpt_id(self) -> str:
        """Returns: the tenant."""
        return self.key.gpt_id

    @property
    def request_id(self) -> str:
        """Returns: the signed id of the request that this step belongs to."""
        return self.envelope.request_id

    @property
    def batched(self) -> tuple[str, ...]:
        """Returns: the step's document, for `Outcome.moved`; none where it is in no batch."""
        batch_id, document_id = self.envelope.batch_id, self.document_id
        return () if batch_id is None or document_id is None else (document_id,)


class Claim(Enum):
    """When a step is entered in the ledger."""

    LEASED = "leased"
    """Before the work, under a lease: for steps that call other systems."""
    AT_COMMIT = "at commit"
    """With the work's own transaction: for small steps that only touch Postgres."""


class Scope(Enum):
    """What fails when a step fails for good."""

    RUN = "run"
    """The run, its document and its request."""
    REQUEST = "request"
    """The request alone."""
    NOTHING = "nothing"
    """Nothing that a client sees; the dead letter says it."""


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """What all stages are: a name, and a topic that they work off.

    `request` is the topic of the request that a fact belongs to; a stage that `touches_deleted`
    documents is not cancelled by their tombstones. In an `ordered` stage no record overtakes
    another of its key: trouble is waited out in place. `run_field` names the message's field, if it
    has that, that tells its step from others of its request.
    """

    name: str
    source: Topic[M]
    _: KW_ONLY
    scope: Scope = Scope.RUN
    request: Topic[Any] = PROCESS_DOCUMENT
    touches_deleted: bool = False
    ordered: bool = False
    run_field: str = "run_id"

    @property
    def request_kind(self) -> str:
        """Returns: the name of the request topic whose request this stage works on."""
        return (self.source if self.source.kind is Kind.REQUEST else self.request).name

    def work(self, message: M, envelope: Envelope, document_id: str | None, ids: Ids) -> Work:
        """Returns: the step that this message is an input of."""
        run_id = getattr(message, self.run_field, None)
        if run_id is None:
            run_id = (
                ids.derive(RUN, envelope.gpt_id, envelope.request_id)
                if self.scope is Scope.RUN
                else envelope.request_id
            )
        key = StepKey(envelope.gpt_id, run_id, self.name, envelope.part)
        return Work(
            key,
            envelope,
            self.request_kind,
            document_id,
            self.touches_deleted,
            getattr(message, "parent_id", None),
        )


@dataclass(frozen=True, slots=True)
class Stage(Reading[M]):
    """A stage that takes its records one by one.

    `cancelled` undoes what the handler did outside Postgres, when the document turned out to be
    deleted at commit.
    """

    handle: Callable[[M, Work], Awaitable[Outcome]]
    _: KW_ONLY
    claim: Claim = Claim.LEASED
    cancelled: Callable[[M, Work], Awaitable[None]] | None = None


@dataclass(frozen=True, slots=True)
class Taken(Generic[M]):
    """One record of a batch: its message, and the step that it is the input of."""

    message: M
    work: Work


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one record of a batch: its request is answered with result or problem.

    The record on `results` says `told` where that is shorter than the result. `outputs` and
    `events` are published and numbered with the batch's commit.
    """

    result: dict[str, Any] | None = None
    told: dict[str, Any] | None = None
    problem: Problem | None = None
    outputs: Sequence[Output] = ()
    events: Sequence[Event] = ()


@dataclass(frozen=True, slots=True)
class BatchStage(Reading[M]):
    """A stage of small, local work that takes what is there at once, in one transaction.

    `handle` runs its statements on the connection, on which nothing is committed yet, and returns
    a verdict for each record, in their order. What one record asks for wrongly is its own verdict's
    problem. If `handle` raises, nothing is written, and each record is tried again alone. In the
    scope of nothing it answers nobody and must be harmless to repeat: no step is entered.
    """

    handle: Callable[[AsyncConnection, Sequence[Taken[M]]], Awaitable[Sequence[Verdict]]]
    _: KW_ONLY
    most: int = 50
    scope: Scope = Scope.REQUEST
    ordered: bool = True

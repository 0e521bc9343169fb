"""What `bench/ledger.py` works off: stages that do next to nothing, their records and rows."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy import delete, func, insert, update
from sqlalchemy.sql.base import Executable

from schemas import topics
from schemas.envelope import Envelope
from schemas.events import EventType
from schemas.ids import DOCUMENT, REQUEST, RUN, Ids
from schemas.messages import DocumentIndexed, Result
from schemas.states import Status
from schemas.tables import DOCUMENTS, EVENTS, REQUESTS, STEPS
from streams.errors import RecordTrouble
from streams.stage import Claim, Event, Outcome, Output, Stage, Work
from streams.wire import Incoming

TENANT: Final = "bench"


@dataclass(frozen=True, slots=True)
class Case:
    """A kind of record: how its step is claimed, what it does, and what happened to it before.

    `earlier` are the attempts whose records are worked off, untimed, before the timed one.
    """

    name: str
    claim: Claim
    attempt: int = 0
    earlier: tuple[int, ...] = ()
    events: bool = False
    troubled_attempts: int = 0

    def stage(self) -> Stage[DocumentIndexed]:
        """Returns: a stage that changes one row and publishes one small record."""

        async def handle(message: DocumentIndexed, work: Work) -> Outcome:
            if work.envelope.attempt < self.troubled_attempts:
                raise RecordTrouble("bench", "its own trouble")
            row = update(DOCUMENTS).where(DOCUMENTS.c.document_id == message.document_id)
            output = Result(request_id=work.request_id, status=Status.PROCESSING)
            return Outcome(
                (row.values(updated_at=func.now()),),
                (Output(topics.RESULTS, work.request_id, output),),
                events=(Event(EventType.DOCUMENT_INDEXED),) if self.events else (),
            )

        return Stage("complete", topics.DOCUMENT_INDEXED, handle, claim=self.claim)


CASES: Final = (
    Case("leased", Claim.LEASED),
    Case("leased, with an event", Claim.LEASED, events=True),
    Case("leased, redelivered", Claim.LEASED, earlier=(0,)),
    Case("leased, to a retry topic", Claim.LEASED, troubled_attempts=1),
    Case("leased, back from one", Claim.LEASED, attempt=1, earlier=(0,), troubled_attempts=1),
    Case("at commit", Claim.AT_COMMIT),
    Case("at commit, with an event", Claim.AT_COMMIT, events=True),
    Case("at commit, redelivered", Claim.AT_COMMIT, earlier=(0,)),
)


class Subject:
    """A document of its own, so that no two records of the benchmark share a step or a row."""

    def __init__(self, ids: Ids) -> None:
        unique = uuid.uuid4().hex
        self.request_id = ids.derive(REQUEST, TENANT, unique)
        self.document_id = ids.derive(DOCUMENT, TENANT, unique)
        self.run_id = ids.derive(RUN, TENANT, unique)

    def record(self, attempt: int) -> Incoming:
        """Returns: the record of an attempt at it."""
        topic = topics.DOCUMENT_INDEXED
        message = DocumentIndexed(
            document_id=self.document_id, run_id=self.run_id, version=1, chunk_count=1
        )
        envelope = Envelope(
            request_id=self.request_id,
            gpt_id=TENANT,
            schema_name=topic.schema_name,
            attempt=attempt,
        )
        return Incoming(
            topic=topic.name,
            partition=0,
            offset=0,
            key=self.document_id.encode(),
            value=message.model_dump_json().encode(),
            headers=envelope.to_headers(),
            leaving=lambda: False,
        )

    def enter(self) -> Sequence[Executable]:
        """Returns: the statements that make its rows as a stage finds them."""
        shared = {
            "gpt_id": TENANT,
            "request_id": self.request_id,
            "document_id": self.document_id,
            "status": Status.PROCESSING,
        }
        return (
            insert(DOCUMENTS).values(**shared, run_id=self.run_id),
            insert(REQUESTS).values(**shared, kind=topics.PROCESS_DOCUMENT.name),
        )

    def remove(self) -> Sequence[Executable]:
        """Returns: the statements that undo all that was done with it."""
        return (
            delete(STEPS).where(STEPS.c.gpt_id == TENANT, STEPS.c.run_id == self.run_id),
            delete(EVENTS).where(EVENTS.c.gpt_id == TENANT, EVENTS.c.request_id == self.request_id),
            delete(REQUESTS).where(REQUESTS.c.request_id == self.request_id),
            delete(DOCUMENTS).where(DOCUMENTS.c.document_id == self.document_id),
        )

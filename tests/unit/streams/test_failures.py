"""Endings for good: what they say, and what they do not."""

import pytest
from pydantic import BaseModel, ValidationError

from schemas import topics
from schemas.envelope import Envelope
from schemas.messages import ProcessDocument, UpdateDocument
from schemas.states import StepState
from streams import failures
from streams.errors import InvalidMessage, Refused
from streams.failures import Failure
from streams.stage import Outcome, Scope, Stage, Work
from streams.wire import Incoming
from tests.suites.ledger import IDS, new_work

SECRET = "swordfish"


async def nothing(message: ProcessDocument, work: Work) -> Outcome:
    return Outcome()


STAGE = Stage("receive", topics.PROCESS_DOCUMENT, nothing)
RECORD = Incoming("process-document", 3, 9, b"k", b"v\0", (("gpt-id", b"demo"),), lambda: False)


def explained(model: type[BaseModel], text: str) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate_json(text)
    return failures.explain(caught.value)


@pytest.mark.parametrize(
    ("model", "text"),
    [
        (ProcessDocument, f'{{"source": {{"kind": "{SECRET}"}}}}'),
        (ProcessDocument, f'{{"source": "{SECRET}"}}'),
        (ProcessDocument, f'{{"source": {{"kind": "s3", "key": ["{SECRET}"]}}}}'),
        (UpdateDocument, f'{{"document_id": ["{SECRET}"], "type": "{SECRET} !"}}'),
        (UpdateDocument, f'{{"document_id": "{SECRET}'),
        (UpdateDocument, f'{{"document_id": 1, "by": 2, "if_version": "{SECRET}"}}'),
    ],
)
def test_values_are_never_shown(model: type[BaseModel], text: str) -> None:
    """Which field is wrong, and how; what it held stays with the sender."""
    sentence = explained(model, text)

    assert SECRET not in sentence
    assert ": " in sentence


def test_the_wrong_fields_are_named() -> None:
    """By their paths, with how many more there are."""
    assert "source.s3.key" in explained(ProcessDocument, '{"source": {"kind": "s3", "key": 1}}')

    class Many(BaseModel):
        a: int
        b: int
        c: int
        d: int
        e: int
        f: int
        g: int

    assert explained(Many, "{}").endswith("; and 2 more")


def test_a_problem_has_the_form_of_the_catalogue() -> None:
    """Type, title and code are one name in three forms (RFC 9457)."""
    problem = failures.problem("too_many_pages", "It has 10,000 pages.", "req_1")

    assert (problem.type, problem.title, problem.status, problem.code, problem.request_id) == (
        "/problems/too-many-pages",
        "Too many pages",
        422,
        "too_many_pages",
        "req_1",
    )


def test_a_failure_is_answered_and_dead_lettered() -> None:
    """The answer goes to the requester, the raw record with its origin to the dead letters."""
    work = new_work(document_id=IDS.mint("doc", "demo"))
    failure = Failure("encrypted", "It has a password.", 2)
    ending = failures.dead(STAGE, work, RECORD, failure, reply_topic="mine")

    answer, letter = ending.outputs
    headers = dict(letter.headers)
    assert ending.state is StepState.DEAD
    assert answer.topic == "mine"
    assert (letter.topic, letter.value, letter.key) == ("process-document-dlq", b"v\0", b"k")
    assert (headers["error"], headers["attempts"]) == (b"encrypted", b"2")
    assert (headers["origin-partition"], headers["origin-offset"]) == (b"3", b"9")


def test_work_that_nobody_waits_for_is_dead_lettered_alone() -> None:
    """No answer, and no document that fails."""
    quiet = Stage("refresh", topics.PROCESS_DOCUMENT, nothing, scope=Scope.NOTHING)
    ending = failures.dead(quiet, new_work(), RECORD, Failure("x", "X."), reply_topic="r")

    assert [record.topic for record in ending.outputs] == ["process-document-dlq"]
    assert len(ending.statements) == 1
    assert failures.cancelled(quiet, new_work(), reply_topic="r").outputs == ()


def test_a_refusal_stands_and_a_failure_does_not_when_the_document_is_gone() -> None:
    """Who asked about a deleted document is told no; work on it is cancelled, with an answer."""
    work = new_work()
    refusal = failures.refused(work, Refused("not_found", "None.", 404), reply_topic="results")
    dead = failures.dead(STAGE, work, RECORD, Failure("x", "X."), reply_topic="results")
    gone = failures.cancelled(STAGE, work, reply_topic="results")

    assert refusal.cancelled() is refusal
    assert dead.cancelled().state is StepState.CANCELLED
    assert dead.cancelled().outputs == ()
    assert [record.topic for record in gone.outputs] == ["results"]


@pytest.mark.parametrize("request_id", [b"a\0b", b"\xff", None])
def test_headers_that_cannot_be_kept_do_not_reach_the_ledger(request_id: bytes | None) -> None:
    """The step of such a record is named by its place."""
    given = (("gpt-id", b"demo"), ("schema", b"ping.v1"))
    headers = given if request_id is None else (*given, ("request-id", request_id))
    record = Incoming("ping", 1, 2, None, b"{}", headers, lambda: False)

    letter = failures.undecodable(STAGE, record, InvalidMessage("invalid_record", "No."))

    assert isinstance(letter.work.envelope, Envelope)
    assert letter.work.key.run_id == "undecodable:ping/1/2"
    assert letter.work.request_id == "ping/1/2"
    assert letter.work.gpt_id == failures.NOBODY

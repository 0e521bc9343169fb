"""The runner ends at every await point in turn, and another one finishes what it began.

A world of two stages, a log with committed offsets, and a ledger. A worker is killed, or frozen and
thawed later, at each of its await points; in the end everything happened once.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.messages import DocumentParsed, DocumentReceived, Result
from schemas.states import SETTLED, Status, StepState
from schemas.topics import DELAYS
from streams.endings import Claimed, Ending, Held, Settled, Wait
from streams.errors import DependencyDown, InvalidMessage, RecordTrouble
from streams.retries import Attempts
from streams.runner import Patience, Runner
from streams.stage import Claim, Outcome, Output, Record, Scope, Stage, StepKey, Work
from streams.wire import Incoming
from tests.fakes.ledger import FakeLedger
from tests.fakes.process import Process
from tests.suites.ledger import IDS

DOCUMENT = IDS.mint("doc", "demo")
RUN = IDS.mint("run", "demo")
REQUEST = IDS.mint("req", "demo")
PATIENCE = Patience(
    first_seconds=0.0001,
    longest_seconds=0.001,
    look_seconds=0.05,
    in_place_seconds=(0.0001,),
)
Handle = Callable[["World", Work], Outcome]


@dataclass
class World:
    """What outlives a worker: the log, its committed offsets, the ledger, and the time."""

    first: Handle
    claim: Claim = Claim.LEASED
    now: float = 0.0
    log: dict[str, list[Record]] = field(default_factory=dict)
    committed: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    commits_to_lose: int = 0

    def __post_init__(self) -> None:
        self.ledger = FakeLedger(clock=lambda: self.now)
        received = DocumentReceived(
            document_id=DOCUMENT, run_id=RUN, s3_key="k", content_type="text/plain", filename=None
        )
        headers = {"request-id": REQUEST, "gpt-id": "demo", "schema": "document-received.v1"}
        self.append(
            Record(
                topics.DOCUMENT_RECEIVED.name,
                b"k",
                received.model_dump_json().encode(),
                tuple((name, value.encode()) for name, value in headers.items()),
            )
        )

    def append(self, record: Record) -> None:
        self.log.setdefault(record.topic, []).append(record)

    def return_what_is_due(self) -> bool:
        """Play the delay consumer, for which all time passes. Returns: whether it did anything."""
        found = False
        for delay in DELAYS:
            waiting = self.log.get(delay.name, [])
            while self.committed[delay.name] < len(waiting):
                held = waiting[self.committed[delay.name]]
                headers = dict(held.headers)
                target = headers.pop("return-to").decode()
                self.append(Record(target, held.key, held.value, tuple(headers.items())))
                self.committed[delay.name] += 1
                found = True
        return found

    def unread(self, topic: str) -> bool:
        return self.committed[topic] < len(self.log.get(topic, []))

    def values(self, topic: str) -> list[dict[str, Any]]:
        return [json.loads(record.value) for record in self.log.get(topic, [])]


@dataclass
class DyingLedger:
    """The ledger as one process sees it."""

    world: World
    process: Process
    lease_seconds: float = 15.0

    async def claim(
        self, work: Work, first: Sequence[Any] = (), resumed: Sequence[Any] = ()
    ) -> Claimed | Settled | Held:
        return await self.process.ask(lambda: self.world.ledger.claim(work, (), ()))

    async def renew(self, key: StepKey, claim: Claimed) -> bool:
        return await self.process.ask(lambda: self.world.ledger.renew(key, claim))

    async def mark_alone(self, key: StepKey, claim: Claimed) -> bool:
        return await self.process.ask(lambda: self.world.ledger.mark_alone(key, claim))

    async def release(
        self, key: StepKey, claim: Claimed, wait: Wait, statements: Sequence[Any] = ()
    ) -> None:
        await self.process.ask(lambda: self.world.ledger.release(key, claim, wait))

    async def commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        return await self.process.ask(lambda: self._commit(work, claim, ending))

    async def _commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        kept = [each for each in ending.statements if isinstance(each, str)]
        plain = Ending(
            ending.state,
            kept,
            ending.outputs,
            ending.problem,
            ending.if_deleted,
            (),
            ending.wait,
            ending.moved,
        )
        done = await self.world.ledger.commit(work, claim, plain)
        if self.world.commits_to_lose:
            self.world.commits_to_lose -= 1
            raise DependencyDown("postgres", "the connection broke after the commit")
        return done


@dataclass
class DyingPublisher:
    """The log as one process sees it: each record on its own, so that some may be missing."""

    world: World
    process: Process

    async def publish(self, records: tuple[Record, ...]) -> None:
        for record in records:

            async def append(record: Record = record) -> None:
                self.world.append(record)

            await self.process.ask(append)


def stages(world: World, process: Process) -> tuple[Stage[Any], ...]:
    async def first(_: DocumentReceived, work: Work) -> Outcome:
        async def handle() -> Outcome:
            world.calls += 1
            return world.first(world, work)

        return await process.ask(handle)

    async def second(message: DocumentParsed, work: Work) -> Outcome:
        answer = Result(request_id=work.request_id, status=Status.COMPLETED)
        output = Output(topics.RESULTS, "r", answer)
        return Outcome((f"second {message.run_id}",), (output,), moved=(message.document_id,))

    return (
        Stage("parse", topics.DOCUMENT_RECEIVED, first, claim=world.claim, scope=Scope.RUN),
        Stage("classify", topics.DOCUMENT_PARSED, second, claim=Claim.AT_COMMIT),
    )


async def worker(world: World, process: Process) -> None:
    """Work until nothing is left, acknowledging as Faust does: in order, after the runner."""
    runner = Runner(
        DyingLedger(world, process),  # type: ignore[arg-type]  # it plays the real one's part
        DyingPublisher(world, process),
        IDS,
        attempts=Attempts(3),
        suspect_crashes=1000,  # So many deaths are not the record's own doing here.
        grace=timedelta(seconds=0),
        patience=PATIENCE,
    )
    made = stages(world, process)
    inputs = [(stage, name) for stage in made for name in topics.sources(stage.name)]
    busy = True
    while busy:
        busy = world.return_what_is_due()
        for stage, topic in inputs:
            while world.unread(topic):
                offset = world.committed[topic]
                record = world.log[topic][offset]
                incoming = Incoming(
                    topic, 0, offset, record.key, record.value, record.headers, lambda: False
                )
                await runner.run(stage, incoming)
                await process.ask(lambda topic=topic, offset=offset: commit(world, topic, offset))
                busy = True


async def commit(world: World, topic: str, offset: int) -> None:
    world.committed[topic] = max(world.committed[topic], offset + 1)


def parsed(work: Work) -> Output:
    message = DocumentParsed(document_id=DOCUMENT, run_id=work.key.run_id, page_count=1)
    return Output(topics.DOCUMENT_PARSED, DOCUMENT, message)


def succeed(_: World, work: Work) -> Outcome:
    return Outcome(("first",), (parsed(work),))


def in_two_parts(_: World, work: Work) -> Outcome:
    if work.key.part == 0:
        return Outcome(("part 0",), hand_over=True)
    return Outcome(("first",), (parsed(work),))


def trouble_once(world: World, work: Work) -> Outcome:
    if world.calls == 1:
        raise RecordTrouble("models", "no answer")
    return Outcome(("first",), (parsed(work),))


def trouble_always(_: World, __: Work) -> Outcome:
    raise RecordTrouble("models", "no answer")


def outage(world: World, work: Work) -> Outcome:
    if world.calls < 3:
        raise DependencyDown("models", "away")
    return Outcome(("first",), (parsed(work),))


def invalid(_: World, __: Work) -> Outcome:
    raise InvalidMessage("encrypted", "It has a password.")


def bug(_: World, __: Work) -> Outcome:
    raise ZeroDivisionError


GOOD = (succeed, in_two_parts, trouble_once, outage)
BAD = (trouble_always, invalid, bug)


def check(world: World) -> None:
    """Everything happened, and each thing once; records may repeat, with the same content."""
    rows = world.ledger.rows
    assert all(row.state in SETTLED for row in rows.values())
    assert all(not world.unread(topic) for topic in world.log if not _is_output(topic))
    once = Counter(world.ledger.written)
    answers = {json.dumps(value, sort_keys=True) for value in world.values("results")}
    letters = {(r.key, r.value) for r in world.log.get("document-received-dlq", ())}
    assert len(answers) == 1
    # Its batch counts the document's end with the commit that brings it.
    assert world.ledger.moved == [DOCUMENT]
    if world.first in GOOD:
        assert once.pop("part 0", 1) == 1
        assert once == {"first": 1, f"second {RUN}": 1}
        assert letters == set()
        assert '"status": "completed"' in answers.pop()
    else:
        assert once == {}
        assert len(letters) == 1
        assert '"status": "failed"' in answers.pop()
        assert [row.state for row in rows.values()] == [StepState.DEAD]


def _is_output(topic: str) -> bool:
    return topic == "results" or topic.endswith("-dlq")


def finish(world: World) -> None:
    """Let leases lapse, and have a new worker do what is left."""
    world.now += 100
    process = Process()
    assert process.run(worker(world, process))


def points(handle: Handle, claim: Claim) -> int:
    """Returns: how many await points the work has if nothing happens to it."""
    world, process = World(handle, claim), Process()
    assert process.run(worker(world, process))
    check(world)
    return process.points


CASES = [(handle, claim) for handle in (*GOOD, *BAD) for claim in Claim]
NAMES = [f"{handle.__name__} {claim.value}" for handle, claim in CASES]


@pytest.mark.parametrize(("handle", "claim"), CASES, ids=NAMES)
def test_a_death_at_every_await_point(handle: Handle, claim: Claim) -> None:
    """Whichever point the process dies at, the next one brings everything to the same end."""
    for point in range(1, points(handle, claim) + 1):
        world, process = World(handle, claim), Process()
        process.run(worker(world, process), stop_at=point)
        process.kill()
        finish(world)
        check(world)


@pytest.mark.parametrize(("handle", "claim"), CASES, ids=NAMES)
def test_a_zombie_from_every_await_point(handle: Handle, claim: Claim) -> None:
    """A process that was frozen while another one took over changes nothing when it comes back."""
    for point in range(1, points(handle, claim) + 1):
        world, process = World(handle, claim), Process()
        if process.run(worker(world, process), stop_at=point):
            continue
        finish(world)
        process.thaw()
        check(world)


@pytest.mark.parametrize(("handle", "claim"), CASES, ids=NAMES)
def test_a_commit_whose_answer_is_lost(handle: Handle, claim: Claim) -> None:
    """The worker does not know whether it took effect, finds out, and does nothing twice."""
    for lost in range(1, 4):
        world, process = World(handle, claim, commits_to_lose=lost), Process()
        assert process.run(worker(world, process))
        check(world)


@given(
    st.sampled_from(CASES),
    st.lists(st.tuples(st.integers(1, 120), st.booleans()), min_size=2, max_size=5),
    st.integers(0, 2),
)
def test_deaths_one_after_the_other(
    case: tuple[Handle, Claim], ends: list[tuple[int, bool]], lost: int
) -> None:
    """Several processes in turn die or freeze at random points, with commits' answers lost."""
    world = World(*case, commits_to_lose=lost)
    frozen: list[Process] = []
    for point, dies in ends:
        process = Process()
        if process.run(worker(world, process), stop_at=point):
            continue
        if dies:
            process.kill()
        else:
            frozen.append(process)
        world.now += 100
    finish(world)
    for process in frozen:
        process.thaw()
    finish(world)
    check(world)

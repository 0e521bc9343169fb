"""A worker of batches ends at every await point in turn, and another one finishes what it began.

A log of one partition, whose records are good, meet a bug, come twice or cannot be read; the first
ones are worked off one by one, because the partition changed hands, and the others together.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.messages import Ping
from schemas.states import SETTLED, StepState
from streams.batch_ledger import Committed, Identity, Turn
from streams.batches import Batches
from streams.endings import Claimed, Ending, Held, Settled, Wait
from streams.errors import DependencyDown
from streams.retries import Attempts
from streams.runner import Patience, Runner
from streams.stage import BatchStage, Record, StepKey, Taken, Verdict, Work
from streams.wire import Incoming
from tests.fakes.batch_ledger import FakeBatchLedger
from tests.fakes.ledger import FakeLedger
from tests.fakes.process import Process
from tests.suites.ledger import IDS

PATIENCE = Patience(first_seconds=0.0001, longest_seconds=0.001, look_seconds=0.05)
MOST = 3
BUG = "bug"
#: None cannot be read; a note that is there twice is the same request again.
NOTES: tuple[str | None, ...] = ("a", "b", BUG, None, "c", "d", "d", "e", BUG + " too", "f", "g")
GOOD = {note for note in NOTES if note and not note.startswith(BUG)}
BAD = {note for note in NOTES if note and note.startswith(BUG)}


@cache
def request_id(note: str) -> str:
    return IDS.derive("req", "demo", note)


@dataclass
class World:
    """What outlives a worker: the log, its committed offset, what was published, the ledger."""

    now: float = 0.0
    committed: int = 0
    published: list[Record] = field(default_factory=list)
    commits_to_lose: int = 0
    together: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.ledger = FakeLedger(clock=lambda: self.now)

    def records(self) -> list[Incoming]:
        """The records that nobody has acknowledged, as many as a batch may hold."""
        return [
            self._record(offset, NOTES[offset])
            for offset in range(self.committed, min(self.committed + MOST, len(NOTES)))
        ]

    def _record(self, offset: int, note: str | None) -> Incoming:
        name = "unreadable" if note is None else request_id(note)
        headers = {"request-id": name, "gpt-id": "demo", "schema": "ping.v1"}
        value = b"{" if note is None else json.dumps({"note": note}).encode()
        pairs = tuple((key, text.encode()) for key, text in headers.items())
        return Incoming("ping", 0, offset, b"key", value, pairs, lambda: False)


@dataclass
class Dying:
    """Ledger and publisher as one process sees them."""

    world: World
    process: Process
    lease_seconds: float = 15.0

    async def claim(
        self, work: Work, _first: Sequence[Any] = (), _resumed: Sequence[Any] = ()
    ) -> Claimed | Settled | Held:
        return await self.process.ask(lambda: self.world.ledger.claim(work))

    async def renew(self, key: StepKey, claim: Claimed) -> bool:
        return await self.process.ask(lambda: self.world.ledger.renew(key, claim))

    async def mark_alone(self, key: StepKey, claim: Claimed) -> bool:
        return await self.process.ask(lambda: self.world.ledger.mark_alone(key, claim))

    async def release(self, key: StepKey, claim: Claimed, wait: Wait) -> None:
        await self.process.ask(lambda: self.world.ledger.release(key, claim, wait))

    async def commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        plain = Ending(ending.state, (), ending.outputs, ending.problem)
        return await self.process.ask(lambda: self.world.ledger.commit(work, claim, plain))

    async def publish(self, records: tuple[Record, ...]) -> None:
        for record in records:

            async def append(record: Record = record) -> None:
                self.world.published.append(record)

            await self.process.ask(append)


@dataclass
class DyingBatchLedger:
    """The batch ledger as one process sees it; a commit's answer may be lost on its way."""

    world: World
    process: Process

    def __post_init__(self) -> None:
        self._batches = FakeBatchLedger(self.world.ledger)

    async def ping(self) -> None:
        await self.process.ask(self._batches.ping)

    async def known(
        self, stage: BatchStage[Any], turns: Sequence[Turn]
    ) -> dict[Identity, tuple[Record, ...]]:
        return await self.process.ask(lambda: self._batches.known(stage, turns))

    async def commit(
        self, stage: BatchStage[Any], turns: Sequence[Turn], claim: Claimed | None = None
    ) -> Committed:
        self.world.together.add(len(turns))
        done = await self.process.ask(lambda: self._batches.commit(stage, turns, claim))
        if self.world.commits_to_lose:
            self.world.commits_to_lose -= 1
            raise DependencyDown("postgres", "the connection broke after the commit")
        return done


def stage(process: Process) -> BatchStage[Ping]:
    async def handle(effects: Any, taken: Sequence[Taken[Ping]]) -> list[Verdict]:
        async def work() -> list[Verdict]:
            for each in taken:
                if each.message.note in BAD:
                    raise ZeroDivisionError
                effects.append(each.message.note)
            return [Verdict({}) for _ in taken]

        return await process.ask(work)

    return BatchStage("ping", topics.PING, handle, most=MOST)


async def worker(world: World, process: Process) -> None:
    """Work until nothing is left, acknowledging a batch when it is over."""
    outside: Any = Dying(world, process)
    runner = Runner(
        outside,
        outside,
        IDS,
        attempts=Attempts(3),
        suspect_crashes=1000,  # So many deaths are not the record's own doing here.
        bugs_in_a_row=1000,
        grace=timedelta(seconds=0),
        patience=PATIENCE,
    )
    ledger: Any = DyingBatchLedger(world, process)
    batches, made = Batches(runner, ledger), stage(process)
    while records := world.records():
        await batches.run(made, records)
        await process.ask(lambda: commit(world, records[-1].offset + 1))


async def commit(world: World, offset: int) -> None:
    world.committed = max(world.committed, offset)


def check(world: World) -> None:
    """Every record took effect once or is one dead letter; answers may repeat as they were."""
    assert world.committed == len(NOTES)
    assert Counter(world.ledger.written) == dict.fromkeys(GOOD, 1)
    rows = world.ledger.rows
    assert all(row.state in SETTLED for row in rows.values())
    dead = {key.run_id for key, row in rows.items() if row.state is StepState.DEAD}
    assert dead == {"undecodable:ping/0/3", *map(request_id, BAD)}
    answers: dict[bytes | None, set[str]] = {}
    for record in world.published:
        if record.topic == "results":
            said = answers.setdefault(record.key, set())
            said.add(json.loads(record.value)["status"])
    assert answers == {
        **{request_id(note).encode(): {"completed"} for note in GOOD},
        **{request_id(note).encode(): {"failed"} for note in BAD},
    }
    letters = {record.value for record in world.published if record.topic == "ping-dlq"}
    assert letters == {b"{", *(json.dumps({"note": note}).encode() for note in BAD)}


def finish(world: World) -> None:
    """Let leases lapse, and have a new worker do what is left."""
    world.now += 100
    process = Process()
    assert process.run(worker(world, process))


@cache
def points() -> int:
    """Returns: how many await points the work has if nothing happens to it."""
    world, process = World(), Process()
    assert process.run(worker(world, process))
    check(world)
    assert world.together == {1, 2, MOST}
    return process.points


def test_a_death_at_every_await_point() -> None:
    """Whichever point the process dies at, the next one brings all records to the same end."""
    for point in range(1, points() + 1):
        world, process = World(), Process()
        process.run(worker(world, process), stop_at=point)
        process.kill()
        finish(world)
        check(world)


def test_a_zombie_from_every_await_point() -> None:
    """A process that was frozen while another one took over changes nothing when it comes back."""
    for point in range(1, points() + 1):
        world, process = World(), Process()
        if process.run(worker(world, process), stop_at=point):
            continue
        finish(world)
        process.thaw()
        check(world)


@pytest.mark.parametrize("lost", range(1, 12))
def test_a_commit_whose_answer_is_lost(lost: int) -> None:
    """The worker does not know whether it took effect, finds out, and does nothing twice."""
    world, process = World(commits_to_lose=lost), Process()
    assert process.run(worker(world, process))
    check(world)


@given(
    st.lists(st.tuples(st.integers(1, 400), st.booleans()), min_size=2, max_size=5),
    st.integers(0, 3),
)
def test_deaths_one_after_the_other(ends: list[tuple[int, bool]], lost: int) -> None:
    """Several processes in turn die or freeze at random points, with commits' answers lost."""
    world = World(commits_to_lose=lost)
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

"""Whatever happens to a batch and its documents, in any order: its counts are those of a recount.

Documents change as the stages' statements change them, and the counts follow in the same
transaction. A model beside it knows how often the batch was closed, and what must have been told.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import delete, text

from schemas.batches import Add, BatchEntry, Cancel, ChangeBatch, Close, Open, Retry
from schemas.envelope import Envelope
from schemas.ids import BATCH, REQUEST, Ids
from schemas.messages import Link
from schemas.tables import BATCH_ENTRIES, BATCH_TALLIES, BATCHES
from schemas.topics import CHANGE_BATCH
from streams import batch_counts, batch_entries
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.stage import Event, StepKey, Taken, Work
from streams.stages import batches

GPT = "demo"
IDS = Ids("a secret of the tests")
STAGE = batches.stage(IDS, most_documents=1000)
LINK = Link(url="https://example.com/")
PUT = text("""
    INSERT INTO documents (document_id, gpt_id, status, type, problem)
    VALUES (:id, 'demo', :status, :type, jsonb_build_object('code', CAST(:code AS text)))
    ON CONFLICT (document_id) DO UPDATE SET status = excluded.status, type = excluded.type,
        problem = excluded.problem
""")
STATUSES = st.sampled_from(
    ["accepted", "processing", "waiting", "completed", "failed", "cancelled"]
)


class Machine(RuleBasedStateMachine):
    """One batch; `loop` and `database` are those of the module."""

    loop: asyncio.AbstractEventLoop
    database: Database

    def __init__(self) -> None:
        super().__init__()
        self.batch_id = IDS.mint(BATCH, GPT)
        self.documents: list[str] = []
        self.told = Counter[str]()
        self.sources = 0
        self.change(Open())

    def change(self, *steps: Any) -> str | None:
        """Send a record to the stage. Returns: why it was refused."""
        message = ChangeBatch(batch_id=self.batch_id, steps=steps)
        request_id = IDS.mint(REQUEST, GPT)
        envelope = Envelope(request_id=request_id, gpt_id=GPT, schema_name=CHANGE_BATCH.schema_name)
        work = Work(StepKey(GPT, request_id, "batches", 0), envelope, CHANGE_BATCH.name, None)

        async def ask() -> Any:
            async with self.database.transaction() as connection:
                return (await STAGE.handle(connection, [Taken(message, work)]))[0]

        verdict = self.loop.run_until_complete(ask())
        self.note(verdict.events)
        for each in (verdict.result or {}).get("entries", ()):
            if each["document_id"] not in self.documents:
                self.documents.append(each["document_id"])
        return None if verdict.problem is None else verdict.problem.code

    def note(self, events: Any) -> None:
        """Count what was told."""
        each: Event
        for each in events:
            self.told[str(each.type)] += 1
            if "counts" in each.data:
                assert each.data["counts"] == self.recounted()

    def moved(self, statuses: dict[str, tuple[str, str | None]], *also: str) -> None:
        """Change documents, with the counts following in the same transaction."""

        async def commit() -> list[Event]:
            async with self.database.transaction() as connection:
                for document_id, (status, label) in statuses.items():
                    values = {"id": document_id, "status": status, "type": label, "code": label}
                    await connection.execute(PUT, values)
                for each in also:
                    await connection.execute(batch_entries.listed(GPT, each))
                return await batch_counts.follow(connection, GPT, [*statuses, *also])

        self.note(self.loop.run_until_complete(commit()))

    def rows(self, query: str) -> list[Any]:
        """Read what Postgres says of the batch."""

        async def ask() -> list[Any]:
            async with self.database.transaction() as connection:
                found = await connection.execute(text(query), {"batch": self.batch_id})
                return list(found.all())

        return self.loop.run_until_complete(ask())

    def row(self) -> Any:
        """Read the batch."""
        [row] = self.rows("SELECT * FROM batches WHERE batch_id = :batch")
        return row

    def recounted(self) -> dict[str, int]:
        """Count the entries by what their documents say."""
        found = Counter(row.state for row in self.rows(RECOUNT))
        states = ("queued", "processing", "completed", "failed", "cancelled")
        return {state: found[state] for state in states}

    @rule(number=st.integers(1, 4), keyed=st.booleans())
    def add(self, number: int, *, keyed: bool) -> None:
        """Add documents; keyed ones are added again."""
        keys = [f"key-{n}" if keyed else None for n in range(number)]
        state = self.row().state
        refused = self.change(Add(entries=tuple(BatchEntry(source=LINK, key=k) for k in keys)))
        wanted = {"open": None, "cancelled": "batch_cancelled"}
        assert refused == wanted.get(state, "batch_closed")

    @precondition(lambda self: self.documents)
    @rule(
        data=st.data(),
        status=STATUSES,
        label=st.sampled_from(["invoice", "receipt", None]),
        number=st.integers(1, 3),
    )
    def change_documents(self, data: Any, status: str, label: str | None, number: int) -> None:
        """Any change of status: begun, settled, redriven, run again, deleted."""
        chosen = {data.draw(st.sampled_from(self.documents)) for _ in range(number)}
        self.moved(dict.fromkeys(sorted(chosen), (status, label)))

    @precondition(lambda self: self.documents)
    @rule(data=st.data())
    def redeliver(self, data: Any) -> None:
        """A commit that changes nothing is counted as nothing."""
        before, chosen = self.row(), data.draw(st.sampled_from(self.documents))

        async def commit() -> list[Event]:
            async with self.database.transaction() as connection:
                return await batch_counts.follow(connection, GPT, [chosen])

        assert self.loop.run_until_complete(commit()) == []
        assert self.row() == before

    @rule()
    def close(self) -> None:
        """Closing again does nothing."""
        cancelled = self.row().state == "cancelled"
        assert self.change(Close()) == ("batch_cancelled" if cancelled else None)

    @rule()
    def retry(self) -> None:
        """A retry is over when its redrive is."""
        if self.row().state != "cancelled":
            assert self.change(Retry(by="someone")) is None
            self.sources += 1

    @precondition(lambda self: self.sources)
    @rule()
    def end_a_redrive(self) -> None:
        """The redrive of a retry has looked at all letters."""
        self.sources -= 1
        self.moved({}, self.batch_id)

    @rule(often=st.integers(0, 9))
    def cancel(self, often: int) -> None:
        """Cancelled, a batch stays so; a completed one does too."""
        if often == 0:
            before = self.row().state
            assert self.change(Cancel()) is None
            assert self.row().state == ("completed" if before == "completed" else "cancelled")

    @invariant()
    def counts_are_exact(self) -> None:
        """Tallies, entries and documents say the same; so do the sums."""
        entries = Counter((row.state, row.label) for row in self.rows(ENTRIES))
        assert entries == Counter((row.state, row.label) for row in self.rows(RECOUNT))
        tallies = {(row.state, row.label): row.n for row in self.rows(TALLIES) if row.n}
        assert tallies == dict(entries)
        row = self.row()
        assert row.unsettled == sum(n for (state, _), n in entries.items() if state in LEFT)
        assert row.sources == self.sources
        assert row.last_ordinal == sum(entries.values())

    @invariant()
    def each_closing_is_told_once(self) -> None:
        """A batch on which nothing is left to do was told, once for each time it was closed."""
        row = self.row()
        assert self.told["batch.created"] == 1
        assert self.told["batch.completed"] == row.completed_closings
        assert row.completed_closings <= row.closings <= row.completed_closings + 1
        left = row.unsettled or row.sources
        if row.state in {"closed", "completed"}:
            assert (row.state == "completed") == (not left)
        if row.state == "completed":
            assert row.completed_closings == row.closings


LEFT = {"queued", "processing"}
ENTRIES = "SELECT state, label FROM batch_entries WHERE batch_id = :batch"
TALLIES = "SELECT state, label, count AS n FROM batch_tallies WHERE batch_id = :batch"
RECOUNT = """
    SELECT CASE WHEN d.status IS NULL THEN 'queued'
                WHEN d.status IN ('completed', 'failed', 'cancelled') THEN d.status
                ELSE 'processing' END AS state,
           CASE d.status WHEN 'completed' THEN coalesce(d.type, '')
                WHEN 'failed' THEN coalesce(d.problem->>'code', '') ELSE '' END AS label
    FROM batch_entries e LEFT JOIN documents d USING (document_id) WHERE e.batch_id = :batch
"""


@pytest.fixture
def machine(settings: Settings) -> Iterator[type[Machine]]:
    """The machine on this session's database."""
    loop = asyncio.new_event_loop()
    database = Database.connect(settings.database_url.get_secret_value(), pool=2)
    Machine.loop, Machine.database = loop, database
    yield Machine

    async def end() -> None:
        async with database.transaction() as connection:
            for table in (BATCHES, BATCH_ENTRIES, BATCH_TALLIES):
                await connection.execute(delete(table))
        await database.close()

    loop.run_until_complete(end())
    loop.close()


def test_counts_of_a_batch(machine: type[Machine]) -> None:
    """Generated histories of a batch, with every step checked."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )

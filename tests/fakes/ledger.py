"""A ledger in memory that passes the suite of the real one (`tests/suites/ledger.py`)."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.states import SETTLED, StepState
from schemas.topics import PROCESS_DOCUMENT
from streams.endings import Claimed, Ending, Held, Settled, Wait
from streams.errors import Fenced
from streams.stage import Record, StepKey, Work


@dataclass
class Row:
    state: StepState
    fence: int = 1
    failures: int = 0
    crashes: int = 0
    crashes_alone: int = 0
    attempt: int = 0
    alone: bool = False
    lease_until: float = 0.0
    wait: Wait | None = None
    outputs: tuple[Record, ...] = ()


@dataclass
class FakeLedger:
    """`written` are the statements that took effect, `moved` the documents that batches counted.

    `deleted` are the ids that bear a tombstone, `asked` those that end users, named beside them,
    have deleted before they were stored.
    """

    lease_seconds: float = 15.0
    rows: dict[StepKey, Row] = field(default_factory=dict)
    written: list[Any] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)
    asked: set[tuple[str, str]] = field(default_factory=set)
    clock: Callable[[], float] = time.monotonic

    async def claim(
        self, work: Work, first: Sequence[Any] = (), resumed: Sequence[Any] = ()
    ) -> Claimed | Settled | Held:
        row = self.rows.get(work.key)
        now, attempt = self.clock(), work.envelope.attempt
        if row is None:
            row = self.rows[work.key] = Row(StepState.WORKING)
        elif row.attempt > attempt or row.state in SETTLED:
            return Settled(row.outputs, row.state is StepState.CANCELLED)
        elif row.state is StepState.WORKING and row.lease_until >= now:
            return Held(row.lease_until - now)
        else:
            row.fence += 1
            row.crashes += row.state is StepState.WORKING
            row.crashes_alone += row.state is StepState.WORKING and row.alone
            self.written.extend(resumed)
        row.state, row.wait, row.outputs, row.alone = StepState.WORKING, None, (), False
        row.attempt, row.lease_until = attempt, now + self.lease_seconds
        self.written.extend(first)
        return Claimed(row.fence, row.failures, row.crashes, row.crashes_alone)

    async def renew(self, key: StepKey, claim: Claimed) -> bool:
        row = self._ours(key, claim)
        if row is None:
            return False
        row.lease_until = self.clock() + self.lease_seconds
        return True

    async def mark_alone(self, key: StepKey, claim: Claimed) -> bool:
        row = self._ours(key, claim)
        if row is None:
            return False
        row.alone = True
        return await self.renew(key, claim)

    async def release(
        self, key: StepKey, claim: Claimed, wait: Wait, statements: Sequence[Any] = ()
    ) -> None:
        row = self._ours(key, claim)
        if row is not None:
            row.state, row.wait = StepState.WAITING, wait
            row.failures += wait.failed
            self.written.extend(statements)

    async def commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        owned = (work.document_id, work.envelope.subject)
        if work.kind == PROCESS_DOCUMENT.name and owned in self.asked:
            self.deleted.add(work.document_id or "")
        if work.document_id in self.deleted and not work.touches_deleted:
            ending = ending.cancelled()
        row = self.rows.get(work.key)
        attempt = work.envelope.attempt
        if claim is None:
            if row is not None:
                if row.attempt <= attempt and row.state not in SETTLED:
                    raise Fenced
                return replace(ending, statements=(), outputs=row.outputs)
            row = self.rows[work.key] = Row(ending.state, attempt=attempt)
        else:
            row = self._ours(work.key, claim)
            if row is None:
                raise Fenced
        row.state, row.outputs, row.wait = ending.state, ending.outputs, ending.wait
        if ending.wait is not None:
            row.attempt = attempt + 1
            row.failures += ending.wait.failed
        self.written.extend(ending.statements)
        self.moved.extend(ending.moved)
        return ending

    def _ours(self, key: StepKey, claim: Claimed) -> Row | None:
        row = self.rows.get(key)
        if row is None or row.fence != claim.fence or row.state is not StepState.WORKING:
            return None
        return row

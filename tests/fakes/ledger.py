"""A ledger in memory that passes the suite of the real one (`tests/suites/ledger.py`)."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from schemas.states import SETTLED, StepState
from streams.errors import Fenced
from streams.ledger import Claimed, Ending, Held, Settled
from streams.stage import StepKey, Work
from streams.wire import Record


@dataclass
class Row:
    state: StepState
    fence: int = 1
    failures: int = 0
    crashes: int = 0
    lease_until: float = 0.0
    waiting_for: str | None = None
    outputs: tuple[Record, ...] = ()


@dataclass
class FakeLedger:
    """`written` are the statements that took effect; `deleted` the ids that bear a tombstone."""

    lease_seconds: float = 15.0
    rows: dict[StepKey, Row] = field(default_factory=dict)
    written: list[Any] = field(default_factory=list)
    deleted: set[str] = field(default_factory=set)

    async def claim(self, work: Work, first: Sequence[Any] = ()) -> Claimed | Settled | Held:
        row = self.rows.get(work.key)
        now = time.monotonic()
        if row is None:
            row = self.rows[work.key] = Row(StepState.WORKING)
        elif row.state in SETTLED:
            return Settled(row.outputs, row.state is StepState.CANCELLED)
        elif row.state is StepState.WORKING and row.lease_until > now:
            return Held(row.lease_until - now)
        else:
            row.fence += 1
            row.crashes += row.state is StepState.WORKING
        row.state, row.waiting_for = StepState.WORKING, None
        row.lease_until = now + self.lease_seconds
        self.written.extend(first)
        return Claimed(row.fence, row.failures, row.crashes)

    async def renew(self, key: StepKey, claim: Claimed) -> bool:
        row = self.rows[key]
        if row.fence != claim.fence or row.state is not StepState.WORKING:
            return False
        row.lease_until = time.monotonic() + self.lease_seconds
        return True

    async def release(
        self, key: StepKey, claim: Claimed, *, waiting_for: str, failed: bool = False
    ) -> None:
        row = self.rows[key]
        if row.fence == claim.fence and row.state is StepState.WORKING:
            row.state, row.waiting_for = StepState.WAITING, waiting_for
            row.failures += failed

    async def commit(self, work: Work, claim: Claimed | None, ending: Ending) -> Ending:
        if work.document_id in self.deleted and not work.touches_deleted:
            ending = ending.cancelled()
        row = self.rows.get(work.key)
        if claim is None:
            if row is not None:
                if row.state not in SETTLED:
                    raise Fenced
                return replace(ending, statements=(), outputs=row.outputs)
            row = self.rows[work.key] = Row(ending.state)
        elif row is None or row.fence != claim.fence or row.state is not StepState.WORKING:
            raise Fenced
        row.state, row.outputs = ending.state, ending.outputs
        self.written.extend(ending.statements)
        return ending

"""A batch ledger in memory, over the rows of the fake ledger; a transaction is a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from schemas.messages import Result
from schemas.states import SETTLED, Status, StepState
from schemas.topics import RESULTS
from streams import wire
from streams.batch_ledger import Committed, Identity, Turn
from streams.endings import Claimed
from streams.errors import Fenced
from streams.stage import BatchStage, Output, Record, Taken
from tests.fakes.ledger import FakeLedger, Row


@dataclass
class FakeBatchLedger:
    """What the stage's handler appends to its connection takes effect with the commit."""

    ledger: FakeLedger

    async def ping(self) -> None:
        """Answer."""

    async def known(
        self, _stage: BatchStage[Any], turns: Sequence[Turn]
    ) -> dict[Identity, tuple[Record, ...]]:
        return {
            turn.identity: row.outputs
            for turn in turns
            if (row := self.ledger.rows.get(turn.work.key)) is not None
            and (row.attempt > turn.work.envelope.attempt or row.state in SETTLED)
        }

    async def commit(
        self, stage: BatchStage[Any], turns: Sequence[Turn], claim: Claimed | None = None
    ) -> Committed:
        before = await self.known(stage, turns)
        fresh: dict[Identity, Turn] = {}
        for turn in turns:
            if turn.identity not in before:
                fresh.setdefault(turn.identity, turn)
        effects: Any = []
        taken = [Taken(turn.message, turn.work) for turn in fresh.values()]
        if taken:
            await stage.handle(effects, taken)
        if any(self._foreign(turn, claim) for turn in fresh.values()):
            raise Fenced
        outputs = dict(before)
        for turn in fresh.values():
            outputs[turn.identity] = records = (_answer(turn),)
            attempt = turn.work.envelope.attempt
            fence = 1 if claim is None else claim.fence
            self.ledger.rows[turn.work.key] = Row(
                StepState.DONE, fence, attempt=attempt, outputs=records
            )
        self.ledger.written.extend(effects)
        return Committed(tuple(outputs[turn.identity] for turn in turns), len(fresh))

    def _foreign(self, turn: Turn, claim: Claimed | None) -> bool:
        row = self.ledger.rows.get(turn.work.key)
        if row is None or row.state is StepState.WAITING:
            return False
        own = claim is not None and row.fence == claim.fence
        lapsed = row.lease_until < self.ledger.clock()
        return row.state is not StepState.WORKING or not (own or lapsed)


def _answer(turn: Turn) -> Record:
    answer = Result(request_id=turn.work.request_id, status=Status.COMPLETED)
    output = Output(RESULTS, turn.work.request_id, answer)
    return wire.made(output, turn.work.envelope, reply_topic=turn.reply_topic)

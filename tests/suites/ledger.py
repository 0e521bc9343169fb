"""What every ledger must do; the one in memory and the real one both pass this."""

import asyncio
from typing import Any, Protocol

import pytest

from schemas.envelope import Envelope
from schemas.ids import Ids
from schemas.states import StepState
from streams.errors import Fenced
from streams.ledger import Claimed, Ending, Held, Ledger, Settled
from streams.stage import StepKey, Work
from streams.wire import Record

IDS = Ids("a secret of the tests")


class MakeLedger(Protocol):
    def __call__(self, lease_seconds: float = 15.0) -> Ledger: ...


def new_work(*, document_id: str | None = None, touches_deleted: bool = False) -> Work:
    request_id = IDS.mint("req", "demo")
    envelope = Envelope.model_validate(
        {"request-id": request_id, "gpt-id": "demo", "schema": "ping.v1"}
    )
    key = StepKey("demo", request_id, "ping", 0)
    return Work(key, envelope, "ping", document_id, touches_deleted)


RECORD = Record("results", b"key", b'{"a": 1}', (("schema", b"result.v1"),))
DONE = Ending(StepState.DONE, (), (RECORD,))


class LedgerSuite:
    """Subclass it with a fixture `make_ledger`."""

    async def test_the_first_claim_gets_the_step(self, make_ledger: MakeLedger) -> None:
        """A step that nobody has is claimed with fence 1."""
        claim = await make_ledger().claim(new_work())

        assert claim == Claimed(fence=1, failures=0, crashes=0)

    async def test_a_live_lease_holds_others_off(self, make_ledger: MakeLedger) -> None:
        """A second claim during the lease is told how long it lasts."""
        ledger, work = make_ledger(), new_work()
        await ledger.claim(work)

        second = await ledger.claim(work)

        assert isinstance(second, Held)
        assert 0 < second.seconds <= 15

    async def test_a_lapsed_lease_counts_a_crash(self, make_ledger: MakeLedger) -> None:
        """A lease that ends without an outcome is a crash, and the fence rises."""
        ledger, work = make_ledger(lease_seconds=0.05), new_work()
        await ledger.claim(work)
        await asyncio.sleep(0.1)

        second = await ledger.claim(work)

        assert second == Claimed(fence=2, failures=0, crashes=1)

    async def test_a_released_step_is_free_at_once(self, make_ledger: MakeLedger) -> None:
        """Giving a step back costs no crash, and an attempt only where it failed."""
        ledger, work = make_ledger(), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await ledger.release(work.key, claim, waiting_for="models", failed=True)

        second = await ledger.claim(work)

        assert second == Claimed(fence=2, failures=1, crashes=0)

    async def test_a_committed_step_gives_its_outputs_again(self, make_ledger: MakeLedger) -> None:
        """A redelivered input finds the records that were published."""
        ledger, work = make_ledger(), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await ledger.commit(work, claim, DONE)

        again = await ledger.claim(work)

        assert again == Settled((RECORD,))

    async def test_a_fenced_worker_commits_nothing(self, make_ledger: MakeLedger) -> None:
        """A worker whose lease lapsed and was taken over cannot commit."""
        ledger, work = make_ledger(lease_seconds=0.05), new_work()
        zombie = await ledger.claim(work)
        assert isinstance(zombie, Claimed)
        await asyncio.sleep(0.1)
        await ledger.claim(work)

        with pytest.raises(Fenced):
            await ledger.commit(work, zombie, DONE)
        assert not await ledger.renew(work.key, zombie)

    async def test_a_renewed_lease_lasts(self, make_ledger: MakeLedger) -> None:
        """Renewal keeps others off for another lease."""
        ledger, work = make_ledger(lease_seconds=0.4), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await asyncio.sleep(0.25)
        assert await ledger.renew(work.key, claim)
        await asyncio.sleep(0.25)

        assert isinstance(await ledger.claim(work), Held)

    async def test_committing_without_a_claim_happens_once(self, make_ledger: MakeLedger) -> None:
        """A small step is entered by its commit; a second one gets the first one's outputs."""
        ledger, work = make_ledger(), new_work()
        await ledger.commit(work, None, DONE)

        other = Ending(StepState.DONE, (), ())
        again = await ledger.commit(work, None, other)

        assert again.outputs == (RECORD,)

    async def test_a_tombstone_cancels_work(self, make_ledger: MakeLedger, tombstone: Any) -> None:
        """A step of a deleted document ends cancelled, and publishes nothing."""
        ledger = make_ledger()
        work = new_work(document_id=await tombstone(ledger))

        ending = await ledger.commit(work, None, DONE)

        assert ending.state is StepState.CANCELLED
        assert ending.outputs == ()

    async def test_some_stages_work_on_deleted_documents(
        self, make_ledger: MakeLedger, tombstone: Any
    ) -> None:
        """A purge is not cancelled by the tombstone that it works on."""
        ledger = make_ledger()
        work = new_work(document_id=await tombstone(ledger), touches_deleted=True)

        ending = await ledger.commit(work, None, DONE)

        assert ending.state is StepState.DONE

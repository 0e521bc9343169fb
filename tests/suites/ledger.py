"""What every ledger must do; the one in memory and the real one both pass this."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Protocol

import pytest

from schemas.envelope import Envelope
from schemas.ids import Ids
from schemas.states import StepState
from streams.endings import Claimed, Ending, Held, Settled, Wait
from streams.errors import Fenced
from streams.ledger import Ledger
from streams.stage import Record, StepKey, Work

IDS = Ids("a secret of the tests")


class MakeLedger(Protocol):
    def __call__(self, lease_seconds: float = 15.0) -> Ledger: ...


def later(work: Work, attempt: int) -> Work:
    """Returns: the same step as another attempt's record names it."""
    return replace(work, envelope=work.envelope.model_copy(update={"attempt": attempt}))


def new_work(*, document_id: str | None = None, touches_deleted: bool = False) -> Work:
    request_id = IDS.mint("req", "demo")
    envelope = Envelope.model_validate(
        {"request-id": request_id, "gpt-id": "demo", "schema": "ping.v1"}
    )
    key = StepKey("demo", request_id, "ping", 0)
    return Work(key, envelope, "ping", document_id, touches_deleted)


RECORD = Record("results", b"key", b'{"a": 1}', (("schema", b"result.v1"),))
DONE = Ending(StepState.DONE, (), (RECORD,))
RETRY = Record("retry-5s", b"key", b"{}", (("attempt", b"1"),))
SET_ASIDE = Ending(
    StepState.WAITING,
    (),
    (RETRY,),
    wait=Wait("models", failed=True, retry_at=datetime(2026, 11, 21, tzinfo=UTC), allowed=5),
)


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
        await ledger.release(work.key, claim, Wait("models", failed=True))

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

    @pytest.mark.parametrize(
        ("subject", "kind", "state"),
        [
            ("ada", "process-document", StepState.CANCELLED),
            ("bob", "process-document", StepState.DONE),
            (None, "process-document", StepState.DONE),
            ("ada", "update-document", StepState.DONE),
        ],
    )
    async def test_a_deletion_waits_for_its_owners_document(
        self, make_ledger: MakeLedger, deletion: Any, subject: str | None, kind: str, state: str
    ) -> None:
        """Ada's counts where the document turns out to be hers, which its processing says."""
        ledger = make_ledger()
        work = new_work(document_id=await deletion(ledger, "ada"))
        named = work.envelope.model_copy(update={"subject": subject})

        ending = await ledger.commit(replace(work, envelope=named, kind=kind), None, DONE)

        assert ending.state is state
        assert RECORD not in ending.outputs or state is StepState.DONE

    async def test_a_failed_attempt_waits_for_its_record(self, make_ledger: MakeLedger) -> None:
        """The record of the next attempt takes the step, with one failure counted."""
        ledger, work = make_ledger(), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await ledger.commit(work, claim, SET_ASIDE)

        assert await ledger.claim(later(work, 1)) == Claimed(fence=2, failures=1)

    async def test_a_redelivered_failed_attempt_is_sent_on_again(
        self, make_ledger: MakeLedger
    ) -> None:
        """Its record does not take the step early; it gives the record that waits once more."""
        ledger, work = make_ledger(), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await ledger.commit(work, claim, SET_ASIDE)

        assert await ledger.claim(work) == Settled((RETRY,))

    async def test_an_older_attempt_does_not_disturb_a_newer_one(
        self, make_ledger: MakeLedger
    ) -> None:
        """While the newer attempt is worked on, the older record is only acknowledged."""
        ledger, work = make_ledger(), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await ledger.commit(work, claim, SET_ASIDE)
        newer = await ledger.claim(later(work, 1))
        assert isinstance(newer, Claimed)

        assert await ledger.claim(work) == Settled(())
        assert await ledger.renew(work.key, newer)

    async def test_an_older_attempt_gets_the_end_of_the_newer_one(
        self, make_ledger: MakeLedger
    ) -> None:
        """Whatever record of a step comes late, it publishes what the step has published."""
        ledger, work = make_ledger(), new_work()
        claim = await ledger.claim(work)
        assert isinstance(claim, Claimed)
        await ledger.commit(work, claim, SET_ASIDE)
        newer = await ledger.claim(later(work, 1))
        assert isinstance(newer, Claimed)
        await ledger.commit(later(work, 1), newer, DONE)

        assert await ledger.claim(work) == Settled((RECORD,))

    async def test_a_crash_alone_is_counted_apart(self, make_ledger: MakeLedger) -> None:
        """Only a crash while nothing else ran is surely the record's own doing."""
        ledger, work = make_ledger(lease_seconds=0.05), new_work()
        beside = await ledger.claim(work)
        assert isinstance(beside, Claimed)
        await asyncio.sleep(0.1)
        alone = await ledger.claim(work)
        assert isinstance(alone, Claimed)
        assert await ledger.mark_alone(work.key, alone)
        assert not await ledger.mark_alone(work.key, beside)
        await asyncio.sleep(0.1)

        assert await ledger.claim(work) == Claimed(fence=3, crashes=2, crashes_alone=1)

    async def test_only_the_holder_can_release(self, make_ledger: MakeLedger) -> None:
        """A worker that was overtaken gives nothing back."""
        ledger, work = make_ledger(lease_seconds=0.05), new_work()
        zombie = await ledger.claim(work)
        assert isinstance(zombie, Claimed)
        await asyncio.sleep(0.1)
        holder = await ledger.claim(work)
        assert isinstance(holder, Claimed)
        await ledger.release(work.key, zombie, Wait("models", failed=True))

        assert await ledger.renew(work.key, holder)

"""What is judged of a run, a document's entries and a standstill, and when it is certain."""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.states import StepState
from streams import wire
from streams.stage import Record
from streams.verify import COMPARISONS
from streams.verify.confirm import BATCH, Confirmation
from streams.verify.difference import REMEDIES, Comparison, Difference, Kind, Look
from streams.verify.entries import judged as judged_entries
from streams.verify.flow import sources
from streams.verify.held import Held
from streams.verify.repair import lost
from streams.verify.runs import disagreements, missing_effects
from streams.verify.steps import StepSeen, standstill
from streams.verify.stores import Stores


def _step(stage: str, state: str = "done", *, alive: bool = False, **more: Any) -> StepSeen:
    return StepSeen(stage, more.get("part", 0), state, more.get("attempt", 0), alive, refused=False)


def _run(**more: Any) -> Any:
    row = {
        "status": "completed",
        "document_status": "completed",
        "request_status": "completed",
        "is_current": True,
        "pages": [1, 1],
        "page_count": 1,
        "type": "letter",
        "has_fields": True,
        "completed_at": "then",
    }
    return SimpleNamespace(**(row | more))


THROUGH = [_step(name) for name in ("receive", "parse", "classify", "extract", "index", "complete")]


def test_every_kind_has_a_remedy() -> None:
    """Nothing is listed without saying what mends it."""
    assert set(REMEDIES) == set(Kind)
    assert all(comparison.name for comparison in COMPARISONS)


def test_work_stands_still_when_nobody_has_it() -> None:
    """Where it stands tells which stages' records could bring it on."""
    assert standstill([_step("parse"), _step("classify", "working", alive=True)], first=()) is None
    nothing = standstill([], first=("receive", "reprocess"))
    assert nothing is not None
    assert nothing.stages == ("receive", "reprocess")
    followed = standstill([_step("receive"), _step("parse")], first=())
    assert followed is not None
    assert followed.stages == ("parse", "classify")
    retried = standstill([_step("parse"), _step("classify", "waiting", attempt=2)], first=())
    assert retried is not None
    assert (retried.stages, retried.held) == (("classify",), True)


@pytest.mark.parametrize(
    ("lacking", "said"),
    [
        ({"pages": [0, 0]}, "parse"),
        ({"pages": [2, 3]}, "parse"),
        ({"page_count": None}, "parse"),
        ({"type": None}, "classify"),
        ({"has_fields": False}, "extract"),
        ({"completed_at": None}, "complete"),
    ],
)
def test_a_step_that_is_done_has_left_its_effect(lacking: dict[str, Any], said: str) -> None:
    """What a stage stores is looked for once a later stage has begun."""
    [found] = missing_effects(_run(**lacking), THROUGH)
    assert f"`{said}`" in found


def test_a_whole_run_and_one_that_has_not_got_there_lack_nothing() -> None:
    """A long document's parse is done part by part, long before all pages are there."""
    assert list(missing_effects(_run(), THROUGH)) == []
    halfway = _run(pages=[20, 20], page_count=200, type=None, has_fields=False, completed_at=None)
    parts = [_step("receive"), _step("parse"), _step("parse", "working", part=1)]
    assert list(missing_effects(halfway, parts)) == []


def test_states_disagree_only_where_one_is_final() -> None:
    """Waiting and processing are the same work; an overtaken run speaks for no document."""
    assert list(disagreements(_run(status="processing", document_status="waiting"))) != []
    running = {"status": "processing", "request_status": "waiting"}
    assert list(disagreements(_run(**running, document_status="waiting"))) == []
    assert list(disagreements(_run(document_status="failed", is_current=False))) == []
    assert list(disagreements(_run(request_status=None))) == []
    assert list(disagreements(_run(document_status="failed")))


@pytest.mark.parametrize(
    ("held", "kinds"),
    [
        (Held(good=3), []),
        (Held(good=2), [Kind.ENTRIES_MISSING]),
        (Held(good=2, stale=1), [Kind.ENTRIES_STALE]),
        (Held(good=3, surplus=1), [Kind.ENTRIES_STALE]),
        (Held(good=2, newer=1), [Kind.ENTRIES_NEWER]),
    ],
)
def test_entries_are_told_apart(held: Held, kinds: list[Kind]) -> None:
    """Missing, of another version or run, beyond the last chunk, newer than the document."""
    row: Any = SimpleNamespace(
        document_id="doc_1",
        gpt_id="demo",
        run_id="run_1",
        rows=3,
        end=3,
        version=4,
        indexed_version=4,
    )
    assert [kind for kind, _ in judged_entries(row, held, whole=True)] == kinds


def _output(topic: str, **headers: str) -> dict[str, Any]:
    pairs = tuple((name, value.encode()) for name, value in headers.items())
    return wire.to_json(Record(topic, b"doc_1", b"{}", pairs))


def _row(stage: str, state: StepState, *outputs: dict[str, Any], attempt: int = 0) -> Any:
    return SimpleNamespace(stage=stage, part=0, state=state, outputs=outputs, attempt=attempt)


def test_a_lost_record_is_what_the_ledger_last_published() -> None:
    """The outputs of the last step; of a step that waits, its own; else what it was begun by."""
    parsed = _row("parse", StepState.DONE, _output("document-parsed", part="0"), _output("events"))
    assert [record.topic for record in lost([parsed])] == ["document-parsed", "events"]
    retried = _row("classify", StepState.WAITING, _output("retry-5s", attempt="1"), attempt=1)
    assert [record.topic for record in lost([parsed, retried])] == ["retry-5s"]
    lapsed = _row("classify", StepState.WORKING, attempt=2)
    [again] = lost([parsed, lapsed])
    assert (again.topic, dict(again.headers)["attempt"]) == ("classify-again", b"2")
    assert lost([lapsed]) == lost([]) == ()


@dataclass
class FakeFlow:
    """Topics that have, or have not, been worked off."""

    passes: bool = True
    asked: list[frozenset[str]] = field(default_factory=list)

    async def passed(self, topics: Collection[str], *, within_s: float) -> bool:
        del within_s
        self.asked.append(frozenset(topics))
        return self.passes


def _stores(flow: FakeFlow) -> Stores:
    anything: Any = None
    like_flow: Any = flow
    return Stores(anything, anything, anything, like_flow, anything, timedelta(0))


def _comparison(*looks: list[Difference], stages: tuple[str, ...] = ()) -> Comparison:
    rounds = iter(looks)

    async def scan(_: Stores, look: Look) -> AsyncIterator[Difference]:
        for each in next(rounds):
            if look.only is None or each.subject in look.only:
                yield each

    return Comparison("made up", scan, None, stages)


async def _found(comparison: Comparison, flow: FakeFlow) -> list[Difference]:
    confirmation = Confirmation(_stores(flow), patience_s=0, pause_s=0)
    return [each async for each in confirmation.confirmed(comparison, Look())]


async def test_only_what_is_found_twice_is_said() -> None:
    """A difference that went meanwhile was work in flight; one that came is for the next time."""
    stays, goes, comes = (Difference(Kind.INDEX_BEHIND, name, "") for name in "abc")
    found = await _found(_comparison([stays, goes], [stays, comes]), FakeFlow())
    assert [(each.subject, each.certain) for each in found] == [("a", True)]


async def test_what_waits_in_kafka_makes_a_difference_uncertain() -> None:
    """The topics of the comparison and of the difference itself are waited for, twice."""
    stuck = Difference(Kind.STUCK, "run_1", "", stages=("parse",), held=True)
    flow = FakeFlow()
    [found] = await _found(_comparison([stuck], [stuck], stages=("purge",)), flow)
    assert found.certain
    assert flow.asked == [sources(("purge", "parse"), held=True)] * 2
    assert {"document-received", "parse-again", "purge-again", "retry-5m"} <= flow.asked[0]
    [waits] = await _found(_comparison([stuck], [stuck]), FakeFlow(passes=False))
    assert not waits.certain


async def test_work_that_stands_still_elsewhere_has_moved() -> None:
    """Stuck before one stage and then before another is not stuck."""
    here = Difference(Kind.STUCK, "run_1", "", stages=("parse",))
    there = Difference(Kind.STUCK, "run_1", "", stages=("classify",))
    assert await _found(_comparison([here], [there]), FakeFlow()) == []


async def test_an_objects_age_decides_alone() -> None:
    """Its record may not be in any topic yet, so worked-off topics prove nothing."""
    young = Difference(Kind.OBJECT_WITHOUT_ROW, "young", "")
    old = Difference(Kind.OBJECT_WITHOUT_ROW, "old", "", certain=True)
    found = await _found(_comparison([young, old], [young, old]), FakeFlow())
    assert {each.subject: each.certain for each in found} == {"young": False, "old": True}


async def test_findings_are_confirmed_in_batches() -> None:
    """However many there are, few are held in memory at once."""
    many = [Difference(Kind.INDEX_BEHIND, f"doc_{n}", "") for n in range(BATCH + 1)]
    flow = FakeFlow()
    assert len(await _found(_comparison(many, many, many), flow)) == BATCH + 1

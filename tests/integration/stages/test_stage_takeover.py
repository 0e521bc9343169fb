"""A new run from a later stage takes over what stands before it, and keeps the old ones."""

from typing import Any

import pytest

from schemas.messages import ReprocessDocument
from schemas.tables import CHUNKS, PAGES
from streams.errors import InvalidMessage
from streams.stage import Record
from tests.integration.stages.conftest import TEXT, World, body, failure, page, parsed, reply

STAGES = ("parse", "classify", "extract", "index", "complete")


async def _again(
    world: World, document_id: str, stage: Any, *, request: str | None = None, **more: Any
) -> list[Record]:
    message = ReprocessDocument(document_id=document_id, from_stage=stage, **more)
    return await world.send("reprocess", message, request=request)


@pytest.mark.parametrize("stage", ["parse", "classify", "extract", "index"])
async def test_a_later_start_repeats_only_what_follows(world: World, stage: str) -> None:
    """The run ends as the first did, having asked the parser and the model only for its own."""
    world.parser.parts = {1: parsed(page(1, TEXT), notes=("Page 1 was mended.",))}
    document_id = await world.take_in()
    before, [first] = await world.row(document_id), await world.runs(document_id)
    world.parser.begun.clear()
    world.models.asked.clear()
    await world.follow(await _again(world, document_id, stage))
    after, [kept, second] = await world.row(document_id), await world.runs(document_id)
    assert kept == first
    assert (second.status, second.number, second.run_id) == ("completed", 2, after.run_id)
    same = ("page_count", "type", "candidates", "fields", "confidence", "needs_review", "notices")
    assert {name: getattr(second, name) for name in same} == {
        name: getattr(first, name) for name in same
    }
    assert len(world.parser.begun) == (stage == "parse")
    # A new run asks the model anew, though the prompts are those of the first.
    asked = {"parse": 2, "classify": 2, "extract": 1, "index": 0}
    assert len(world.models.asked) == asked[stage]
    assert after.version == before.version + 1
    assert after.indexed_version == after.version


@pytest.mark.parametrize("stage", ["classify", "extract", "index"])
async def test_pages_chunks_and_entries_are_the_new_runs(world: World, stage: str) -> None:
    """Both runs have their pages; what a search finds is of the new one."""
    document_id = await world.take_in()
    await world.follow(await _again(world, document_id, stage))
    run_ids = [run.run_id for run in await world.runs(document_id)]
    pages = await world.rows(PAGES, document_id)
    assert sorted(each.run_id for each in pages) == sorted(run_ids)
    assert {each.text for each in pages} == {TEXT}
    assert {row.run_id for row in await world.rows(CHUNKS, document_id)} == set(run_ids)
    entries = await world.entries(document_id)
    assert {entry["run_id"] for entry in entries.values()} == {run_ids[-1]}


async def test_a_document_that_failed_goes_on_where_it_failed(world: World) -> None:
    """What was parsed and could not be classified is classified without being parsed again."""
    world.models.reply = _refuse
    document_id = await world.take_in()
    assert (await world.row(document_id)).status == "failed"
    assert failure(await _again(world, document_id, "extract")) == "not_classified"
    world.models.reply = reply
    world.parser.begun.clear()
    await world.follow(await _again(world, document_id, "classify"))
    assert (await world.row(document_id)).status == "completed"
    assert world.parser.begun == []


async def test_a_given_type_is_extracted_without_being_classified(world: World) -> None:
    """With a type, a run from `extract` needs no classification."""
    document_id = await world.take_in()
    world.models.asked.clear()
    await world.follow(await _again(world, document_id, "extract", type="letter"))
    row, [_, run] = await world.row(document_id), await world.runs(document_id)
    assert (row.type, run.type, run.type_confidence) == ("letter", "letter", 1.0)
    assert len(world.models.asked) == 1


async def test_what_is_not_there_cannot_be_taken_over(world: World) -> None:
    """Each start that lacks what it needs is refused, and changes nothing."""
    unread = await world.take_in(until="parse")
    for stage, code in (
        ("classify", "not_parsed"),
        ("extract", "not_classified"),
        ("index", "not_extracted"),
    ):
        answered = await _again(world, unread, stage)
        assert failure(answered) == code
        assert body(answered, "results")["problem"]["status"] == 409
    read = await world.take_in()
    assert failure(await _again(world, read, "index", type="letter")) == "type_too_late"
    assert len(await world.runs(unread)) == len(await world.runs(read)) == 1


async def test_a_repeated_request_begins_no_second_run(world: World) -> None:
    """The same request again publishes the same fact again, which its step answers."""
    document_id, request = await world.take_in(), world.request()
    first = await _again(world, document_id, "extract", request=request)
    second = await _again(world, document_id, "extract", request=request)
    assert first == second
    await world.follow([*first, *second])
    assert [run.number for run in await world.runs(document_id)] == [1, 2]
    steps = await world.rows(PAGES, document_id)
    assert len(steps) == 2


def _refuse(user: str, schema: dict[str, Any]) -> Any:
    del user, schema
    raise InvalidMessage("no_answer", "The model has none.")

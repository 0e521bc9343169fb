"""Classify, extract and trial: what is asked of a model, and what becomes of bad answers."""

import json
from datetime import timedelta
from typing import Any

import pytest

from schemas.document_types import builtin
from schemas.messages import PutDocumentType, TryDocumentType
from schemas.tables import CORRECTIONS, DEAD_LETTERS, MODEL_ANSWERS, RUNS
from streams.clients.ollama import CutOff, ModelAnswer
from streams.errors import RecordTrouble
from tests.integration.stages.conftest import World, body, failure, page, parsed, reply


def saying(value: Any) -> Any:
    """Returns: a model that says the same to everything."""

    def say(user: str, schema: dict[str, Any]) -> ModelAnswer:
        del user, schema
        return ModelAnswer("fake-chat", json.dumps(value), value)

    return say


def failing(error: Exception) -> Any:
    """Returns: a model that fails."""

    def fail(user: str, schema: dict[str, Any]) -> ModelAnswer:
        del user, schema
        raise error

    return fail


async def test_a_type_that_was_asked_for(world: World) -> None:
    """No model is asked where the sender knows the type."""
    document_id = await world.take_in(until="extract", type="letter")

    assert body(world.left, "document-classified")["type"] == "letter"
    assert world.models.asked == []
    [run] = await world.rows(RUNS, document_id)
    assert run.candidates == [{"type": "letter", "confidence": 1.0}]


async def test_a_type_that_does_not_exist(world: World) -> None:
    """The reason names the types that there are."""
    await world.take_in(type="novel")

    assert failure(world.left) == "unknown_type"


async def test_empty_text_is_not_guessed_at(world: World) -> None:
    """A document without text is `other`, without confidence, and completes."""
    world.parser.parts = {1: parsed(page(1, " \n "))}

    document_id = await world.take_in()

    row = await world.row(document_id)
    assert (row.type, row.type_confidence, row.status) == ("other", 0.0, "completed")
    assert world.models.asked == []


@pytest.mark.parametrize(
    "answers",
    [
        saying({"nonsense": 1}),
        saying({"candidates": []}),
        saying({"candidates": [{"type": "receipt", "confidence": 7}]}),
        saying({"candidates": [{"type": "novel", "confidence": 0.5}]}),
        saying([1, 2]),
        failing(CutOff("models", "the model's answer was cut off at its length limit")),
        failing(RecordTrouble("models", "fake-chat did not answer within 60 s")),
    ],
)
async def test_bad_answers_are_asked_for_again_and_then_fail(world: World, answers: Any) -> None:
    """Not the schema, cut off, or never ending: so many attempts, then a dead letter."""
    world.models.reply = answers

    document_id = await world.take_in()

    assert failure(world.left) == "models_trouble"
    assert len(world.models.asked) == 2
    [letter] = await world.rows(DEAD_LETTERS, document_id)
    assert (letter.stage, letter.attempts) == ("classify", 2)
    assert await world.rows(MODEL_ANSWERS, document_id) == []
    assert (await world.row(document_id)).status == "failed"


async def test_extraction_goes_on_where_its_time_ended(world: World) -> None:
    """Windows that were answered are not asked for again in the next part."""
    world.models.context_tokens = 3000
    filler = "Bread and rolls of many kinds. " * 120
    world.parser.parts = {1: parsed(*(page(i, f"Part {i}. {filler}") for i in range(1, 5)))}
    world.budget, world.models.seconds = timedelta(seconds=0.3), 0.2

    document_id = await world.take_in(until="index", type="receipt")

    assert len(world.models.asked) == len(set(world.models.asked)) > 1
    [run] = await world.rows(RUNS, document_id)
    assert run.fields["company"]["value"] == "Corner Bakery"
    parts = [r for r in world.publisher.records if r.topic == "document-classified"]
    assert len(parts) > 1


async def test_a_correction_made_meanwhile_survives(world: World) -> None:
    """A person's word about a document that is run again stands over the machine's."""
    document_id = await world.take_in()
    await world.amend(document_id, fields={"company": "Corner Bakery Ltd", "total": None})
    again = await world.follow(await world.reprocess(document_id), until="extract")
    await world.amend(document_id, fields={"date": "2026-03-05"}, title="Corrected")
    left = await world.follow(again)

    row = await world.row(document_id)
    assert row.fields["company"] == "Corner Bakery Ltd"
    assert row.fields["date"] == "2026-03-05"
    assert "total" not in row.fields
    assert row.title == "Corrected"
    assert body(left, "results")["result"]["run_id"] == row.run_id
    [entry] = (await world.entries(document_id)).values()
    assert (entry["title"], entry["_v"]) == ("Corrected", row.version)
    machine = {run.number: run.fields["company"]["value"] for run in await world.runs(document_id)}
    assert machine == {1: "Corner Bakery", 2: "Corner Bakery"}


async def test_a_corrected_type_stays(world: World) -> None:
    """Made before a new run it is that run's type; made during it, it is the document's."""
    document_id = await world.take_in()
    await world.amend(document_id, type="letter")
    await world.follow(await world.reprocess(document_id))
    before = (await world.row(document_id)).type
    again = await world.follow(await world.reprocess(document_id, "receipt"), until="extract")
    await world.amend(document_id, type="invoice")
    await world.follow(again)

    assert before == "letter"
    assert (await world.row(document_id)).type == "invoice"
    [letter, invoice] = await world.rows(CORRECTIONS, document_id)
    assert (letter.machine_value, invoice.machine_value) == ("receipt", "receipt")


async def test_a_type_asked_for_later_wins_over_a_correction(world: World) -> None:
    """The last word of a person counts, in whichever call it came."""
    document_id = await world.take_in()
    await world.amend(document_id, type="letter")
    await world.follow(await world.reprocess(document_id, "receipt"))

    assert (await world.row(document_id)).type == "receipt"


async def test_a_trial_stores_nothing_but_its_answer(world: World) -> None:
    """Fields by a type in the making, from a stored document that stays as it is."""
    document_id = await world.take_in()
    before, runs = await world.row(document_id), await world.runs(document_id)
    definition = builtin()["receipt"].model_dump(mode="json", by_alias=True, exclude_none=True)

    message = TryDocumentType(
        name="receipt", document_id=document_id, definition={**definition, "name": "slip"}
    )
    records = await world.send("trial", message)

    result = body(records, "results")["result"]
    assert result["type"] == "slip"
    assert result["fields"]["company"]["value"] == "Corner Bakery"
    assert await world.row(document_id) == before
    assert await world.runs(document_id) == runs


async def test_a_type_of_the_tenants_own(world: World) -> None:
    """Defined by a record, it is there for the next document; defined again, its version rises."""
    definition = builtin()["receipt"].model_dump(mode="json", by_alias=True, exclude_none=True)
    own = {**definition, "name": "till_slip"}
    for _ in range(2):
        records = await world.send("define", PutDocumentType(name="till_slip", definition=own))
        assert body(records, "results")["status"] == "completed"

    document_id = await world.take_in(type="till_slip")

    assert (await world.row(document_id)).fields["company"] == "Corner Bakery"


@pytest.mark.parametrize(
    ("name", "definition"), [("a", {"name": "a"}), ("b", None), ("c", {"x-knid": 1})]
)
async def test_types_that_cannot_be_used(
    world: World, name: str, definition: dict[str, Any] | None
) -> None:
    """A wrong definition, or one of another name, is refused with the reason."""
    receipt = builtin()["receipt"].model_dump(mode="json", by_alias=True, exclude_none=True)

    message = PutDocumentType(name=name, definition=definition or receipt)

    assert failure(await world.send("define", message)) == "invalid_document_type"


def test_the_fake_model_answers_in_the_schema() -> None:
    """What the tests' model says is what a real one may say."""
    answer = reply("", {"properties": {"candidates": {}}})

    assert json.loads(answer.content) == answer.value

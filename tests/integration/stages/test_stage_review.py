"""Review: what a person decides, and what is kept of it."""

import asyncio
from typing import Any

import pytest

from bench.reviews import decided
from schemas.messages import DecideReview
from schemas.tables import CORRECTIONS, REVIEWS
from streams.stage import Record
from tests.integration.stages.conftest import TENANT, World, body, failure


async def doubtful(world: World) -> str:
    """A document that needs a person. Returns: its id."""
    document_id = await world.take_in()
    async with world.database.transaction() as connection:
        await connection.exec_driver_sql(
            "UPDATE documents SET needs_review = true WHERE document_id = %s", (document_id,)
        )
    return document_id


async def decide(
    world: World, document_id: str, decision: str, *, run_id: str | None = None, **more: Any
) -> list[Record]:
    run_id = run_id or str((await world.row(document_id)).run_id)
    message = DecideReview.model_validate(
        {
            "document_id": document_id,
            "reviewed_run": run_id,
            "decision": decision,
            "by": "someone",
            **more,
        }
    )
    return await world.send("review", message)


async def test_accepted_fields_were_right(world: World) -> None:
    """Nothing changes but that nobody needs to look any more; the confidences are kept."""
    document_id = await doubtful(world)
    before = await world.row(document_id)
    records = await decide(world, document_id, "accept", note="as printed")
    after = await world.row(document_id)
    assert (after.needs_review, after.fields) == (False, before.fields)
    assert body(records, "results")["result"]["version"] == after.version == before.version + 1
    [review] = await world.rows(REVIEWS, document_id)
    assert (review.decision, review.note, review.decided_by) == ("accept", "as printed", "someone")
    assert review.fields["company"]["right"] is True
    assert 0 <= review.fields["company"]["confidence"] <= 1
    assert await world.rows(CORRECTIONS, document_id) == []


async def test_corrections_stand_beside_the_machines_answer(world: World) -> None:
    """The field that was corrected was wrong, all others were right."""
    document_id = await doubtful(world)
    await decide(world, document_id, "correct", fields={"company": "Bakery Ltd"})
    row = await world.row(document_id)
    assert (row.fields["company"], row.needs_review) == ("Bakery Ltd", False)
    [correction] = await world.rows(CORRECTIONS, document_id)
    assert (correction.value, correction.corrected_by) == ("Bakery Ltd", "someone")
    [review] = await world.rows(REVIEWS, document_id)
    wrong = {name for name, each in review.fields.items() if not each["right"]}
    assert wrong == {"company"}


async def test_what_is_given_as_it_was_found_was_right(world: World) -> None:
    """A form sends all fields back, also those that nobody touched."""
    document_id = await doubtful(world)
    await decide(world, document_id, "correct", fields={"company": "Corner Bakery"})
    [review] = await world.rows(REVIEWS, document_id)
    assert all(each["right"] for each in review.fields.values())


async def test_rejected_answers_are_no_fields(world: World) -> None:
    """The document stays and its text is found, but nothing claims to be a value."""
    document_id = await doubtful(world)
    await decide(world, document_id, "reject")
    row = await world.row(document_id)
    assert (row.fields, row.needs_review, row.status) == ({}, False, "completed")
    [review] = await world.rows(REVIEWS, document_id)
    assert review.fields == {}


async def test_a_decision_is_made_once(world: World) -> None:
    """The second one learns that there is nothing to decide."""
    document_id = await doubtful(world)
    await decide(world, document_id, "accept")
    assert failure(await decide(world, document_id, "reject")) == "not_in_review"
    assert (await world.row(document_id)).fields != {}


async def test_another_run_is_decided_on_anew(world: World) -> None:
    """What was looked at is no longer what the document says."""
    document_id = await doubtful(world)
    records = await decide(world, document_id, "accept", run_id=world.run_of(world.request()))
    assert failure(records) == "superseded"
    assert (await world.row(document_id)).needs_review


@pytest.mark.parametrize(
    ("decision", "more", "code"),
    [
        ("correct", {}, "contradictory_decision"),
        ("accept", {"fields": {"company": "x"}}, "contradictory_decision"),
        ("correct", {"fields": {"colour": "red"}}, "unknown_field"),
        ("correct", {"type": "no_such"}, "unknown_type"),
        ("accept", {"if_version": 1}, "version_conflict"),
    ],
)
async def test_wrong_decisions_change_nothing(
    world: World, decision: str, more: dict[str, Any], code: str
) -> None:
    """Each says what is wrong with it."""
    document_id = await doubtful(world)
    assert failure(await decide(world, document_id, decision, **more)) == code
    assert (await world.row(document_id)).needs_review
    assert await world.rows(REVIEWS, document_id) == []


async def test_nobody_decides_on_another_users_document(world: World) -> None:
    """Whoever publishes for an end user names that user; the document is not theirs."""
    document_id = await doubtful(world)
    run_id = str((await world.row(document_id)).run_id)
    message = DecideReview(document_id=document_id, reviewed_run=run_id, decision="accept", by="x")
    records = await world.send("review", message, tenant=TENANT, subject="mallory")
    assert failure(records) == "not_found"


async def test_decisions_are_what_honesty_is_measured_with(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bench reads each plain value with its confidence and whether it was right."""
    document_id = await doubtful(world)
    await decide(world, document_id, "correct", fields={"company": "Bakery Ltd"})
    url = world.settings.database_url.get_secret_value()
    monkeypatch.setenv("ACTIONSTREAM_DATABASE_URL", url)
    [review] = await world.rows(REVIEWS, document_id)
    seen = await asyncio.to_thread(decided)
    mine = [one for one in seen if one.confidence == review.fields["company"]["confidence"]]
    assert any(not one.right for one in mine)
    assert any(one.right for one in seen)

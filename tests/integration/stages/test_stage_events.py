"""What is told of a document: every step of its life, once, in its order."""

import json
from typing import Any

from schemas.messages import DeleteDocument, ReprocessDocument
from tests.integration.stages.conftest import World
from tests.integration.stages.test_stage_cancel import cancelled, in_every_stage


def told(world: World, document_id: str) -> list[dict[str, Any]]:
    """Returns: the events of a document, as they were published."""
    events = [json.loads(one.value) for one in world.publisher.records if one.topic == "events"]
    return [one for one in events if one["subject"] == document_id]


def kinds(world: World, document_id: str) -> list[str]:
    """Returns: the kinds of a document's events; whether it needs a person is told elsewhere."""
    found = [one["type"] for one in told(world, document_id)]
    return [one for one in found if one != "document.needs_review"]


async def test_every_step_of_a_document_is_told(world: World) -> None:
    """From its bytes to its end, with what a person did and with a second run."""
    document_id = await world.take_in()
    run = ["document.parsed", "document.classified", "document.extracted", "document.indexed"]
    assert kinds(world, document_id) == ["document.received", *run]

    await world.follow(await world.amend(document_id, title="Bread"))
    await world.follow(await world.amend(document_id, type="letter", fields={"subject": "Bread"}))
    changed = kinds(world, document_id)[5:]
    assert changed == ["document.updated", "document.updated", "document.corrected"]
    corrected = told(world, document_id)[-1]["data"]
    assert corrected["fields"] == ["subject", "type"]

    again = ReprocessDocument(document_id=document_id, from_stage="extract")
    await world.follow(await world.send("reprocess", again))
    restarted = [one for one in told(world, document_id) if one["type"] == "document.restarted"]
    [_, second] = await world.runs(document_id)
    assert [one["data"] for one in restarted] == [
        {"run_id": second.run_id, "from_stage": "extract"}
    ]
    await world.follow(await world.send("delete", DeleteDocument(document_id=document_id)))
    assert kinds(world, document_id)[8:] == [
        "document.restarted",
        "document.extracted",
        "document.indexed",
        "document.deleted",
    ]
    numbers = [one["sequence"] for one in told(world, document_id)]
    assert numbers == sorted(set(numbers))


async def test_a_cancelled_document_is_told_once(world: World) -> None:
    """Those of a batch that are not settled, in whatever stage they are, and no others."""
    batch, _ = await in_every_stage(world)
    await cancelled(batch)
    await cancelled(batch)

    events = [json.loads(one.value) for one in world.publisher.records if one.topic == "events"]
    ended = [one for one in events if one["type"] == "document.cancelled"]
    entries = [one for one in await batch.entries() if one.state == "cancelled"]
    assert sorted(one["subject"] for one in ended) == sorted(one.document_id for one in entries)
    assert {one["batchid"] for one in ended} == {entries[0].batch_id}

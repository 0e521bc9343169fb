"""A document through all stages, and each stage's repeat."""

from tests.integration.stages.conftest import World, body


async def test_a_document_goes_through(world: World) -> None:
    """It ends completed, with type and fields, where a search finds it."""
    document_id = await world.take_in(title="Bread")

    row = await world.row(document_id)
    assert (row.status, row.type, row.fields["company"]) == (
        "completed",
        "receipt",
        "Corner Bakery",
    )
    [entry] = (await world.entries(document_id)).values()
    assert (entry["title"], entry["type"], entry["_v"]) == ("Bread", "receipt", row.version)
    assert row.indexed_version == row.version
    result = body(world.left, "results")
    assert (result["status"], result["result"]["run_id"]) == ("completed", row.run_id)

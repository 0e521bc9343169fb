"""Deliveries of long ago go, and those whose endpoint is gone; nothing else does."""

from datetime import timedelta

from sqlalchemy import text

from streams.retention.sweep import Sweep
from tests.integration.webhooks.conftest import World

KEEP = timedelta(days=40)
URL = "https://example.com/hook"
_AGE = "UPDATE webhook_deliveries SET created_at = now() - interval '50 days' WHERE sequence = :n"


async def sweep(world: World) -> None:
    await Sweep(world.database, keep_requests=KEEP, keep_events=KEEP).turn()


async def test_deliveries_of_long_ago_go(world: World) -> None:
    """Those that still wait too; what was sent again by hand since is as old as that."""
    webhook_id = await world.made(URL)
    old, again, young = await world.happened(*["document.parsed"] * 3)
    async with world.database.transaction() as connection:
        for event in (old, again):
            await connection.execute(text(_AGE), {"n": event.sequence})
        settled = "UPDATE webhook_deliveries SET settled_at = now() WHERE sequence = :n"
        await connection.execute(text(settled), {"n": again.sequence})
    await sweep(world)
    left = [each.sequence for each in await world.deliveries(webhook_id)]
    assert left == [again.sequence, young.sequence]


async def test_deliveries_without_an_endpoint_go(world: World) -> None:
    """As those that were too many to go with it."""
    webhook_id = await world.made(URL)
    await world.happened("document.parsed")
    async with world.database.transaction() as connection:
        gone = text("DELETE FROM webhooks WHERE webhook_id = :id")
        await connection.execute(gone, {"id": webhook_id})
    await sweep(world)
    assert await world.deliveries(webhook_id) == []

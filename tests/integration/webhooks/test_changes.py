"""What is done to endpoints, and deliveries that are asked for by hand."""

from datetime import UTC, datetime, timedelta

import pytest

from schemas.ids import REQUEST, WEBHOOK
from tests.fakes.receiver import Receiver, status
from tests.integration.webhooks.conftest import MOST, World

URL = "https://example.com/hook"
SOON = timedelta(minutes=5)


async def refused(world: World, webhook_id: str, change: object, **more: str) -> tuple[int, str]:
    problem = (await world.ask(webhook_id, change, **more))["problem"]
    return problem["status"], problem["code"]


async def test_an_endpoint_is_made_changed_and_removed(world: World) -> None:
    """Each is answered with its row and told by an event; its secret is in neither."""
    webhook_id = await world.made(URL, "document.*")
    result = await world.done(webhook_id, {"do": "update", "description": "Mine", "if_version": 1})
    shown = result["webhook"]
    assert (shown["description"], shown["url"], shown["events"]) == ("Mine", URL, ["document.*"])
    assert (shown["version"], shown["state"]) == (2, "active")
    assert "secrets" not in shown
    change = {"do": "update", "events": ["*"], "if_version": 1}
    assert await refused(world, webhook_id, change) == (412, "version_conflict")
    await world.done(webhook_id, {"do": "delete"})
    assert await refused(world, webhook_id, {"do": "test"}) == (404, "not_found")


async def test_events_are_for_notify_while_their_tenant_has_endpoints(world: World) -> None:
    """From the first endpoint until the last is gone, and for no other tenant."""
    other = await world.of_another()

    async def readers() -> tuple[list[str], list[str]]:
        mine, others = [await each.entered("document.indexed") for each in (world, other)]
        return [record.topic for record in mine], [record.topic for record in others]

    unwatched = ["events"]
    assert await readers() == (unwatched, unwatched)
    first, second = [await world.made(URL) for _ in range(2)]
    watched = ["events", "event-watched"]
    assert await readers() == (watched, unwatched)
    await world.done(first, {"do": "delete"})
    assert await readers() == (watched, unwatched)
    await world.done(second, {"do": "delete"})
    assert await readers() == (unwatched, unwatched)


async def test_a_repeated_creation_makes_one(world: World) -> None:
    """The second secret is never stored: the answer has the digest of the first."""
    webhook_id = world.ids.mint(WEBHOOK, world.gpt_id)
    request = world.ids.mint(REQUEST, world.gpt_id)
    digests = set()
    for _ in range(2):
        change = {"do": "create", "url": URL, "secret": world.sealed(webhook_id)}
        digests.add(await world.ask_again(webhook_id, change, request))
    assert len(digests) == 1


async def test_a_tenant_has_so_many_endpoints(world: World) -> None:
    """More are refused, another tenant's do not count."""
    for _ in range(MOST):
        await world.made(URL)
    webhook_id = world.ids.mint(WEBHOOK, world.gpt_id)
    change = {"do": "create", "url": URL, "secret": world.sealed(webhook_id)}
    assert await refused(world, webhook_id, change) == (403, "too_many_webhooks")
    await (await world.of_another()).made(URL)


@pytest.mark.parametrize("change", [{"do": "delete"}, {"do": "update", "url": "https://evil.com"}])
async def test_others_find_nothing(world: World, change: dict[str, str]) -> None:
    """Neither another tenant nor another end user of the same one."""
    webhook_id = await world.made(URL, subject="anna")
    for who in (await world.of_another(), world):
        assert await refused(who, webhook_id, change, subject="bert") == (404, "not_found")
    await world.done(webhook_id, change, subject="anna")


async def test_while_a_secret_is_rotated_both_sign(world: World, receiver: Receiver) -> None:
    """A receiver that has only one of them takes the delivery; after the time only the new one."""
    webhook_id = await world.made(receiver.url("/hook"))
    old = world.secrets[webhook_id]
    until = (datetime.now(UTC) + SOON).isoformat()
    sealed = world.sealed(webhook_id)
    await world.done(webhook_id, {"do": "update", "secret": sealed, "old_secrets_end_at": until})
    new = world.secrets[webhook_id]
    async with world.delivering():
        await world.happened("document.indexed")
        [got] = await receiver.until(1)
        assert got.verified(old) == got.verified(new)
        assert got.headers["webhook-signature"].count("v1,") == 2
        await world.change_row(webhook_id, "old_secrets_end_at = now()")
        await world.happened("document.parsed")
        _, late = await receiver.until(2)
    assert late.headers["webhook-signature"].count("v1,") == 1
    assert late.verified(new)["type"] == "document.parsed"


async def test_secrets_that_have_ended_stay_so(world: World) -> None:
    """A rotation gives those that sign until now another while, and no others."""
    webhook_id = await world.made(URL)
    until = (datetime.now(UTC) + SOON).isoformat()
    counts = []
    for ended in (False, False, True):
        if ended:
            await world.change_row(webhook_id, "old_secrets_end_at = now() - interval '1 second'")
        sealed = world.sealed(webhook_id)
        change = {"do": "update", "secret": sealed, "old_secrets_end_at": until}
        await world.done(webhook_id, change)
        counts.append(len((await world.row(webhook_id)).secrets))
    assert counts == [2, 3, 2]


async def test_another_url_begins_anew_and_the_same_one_does_not(world: World) -> None:
    """One that was paused because it failed is active there; its owner's pause stays."""
    webhook_id = await world.made(URL)
    failing = "failures = 3, failing_since = now(), state = 'paused'"
    await world.change_row(webhook_id, f"{failing}, paused_reason = 'it answered 410 Gone'")
    await world.done(webhook_id, {"do": "update", "url": URL})
    row = await world.row(webhook_id)
    assert (row.state, row.failures) == ("paused", 3)
    result = await world.done(webhook_id, {"do": "update", "url": f"{URL}/new"})
    shown = result["webhook"]
    assert (shown["state"], shown["paused_reason"], shown["failures"]) == ("active", None, 0)
    await world.done(webhook_id, {"do": "update", "state": "paused"})
    result = await world.done(webhook_id, {"do": "update", "url": URL})
    assert result["webhook"]["state"] == "paused"


async def test_a_secret_replaced_at_once_signs_no_more(world: World, receiver: Receiver) -> None:
    """Without a time for the old ones there are none."""
    webhook_id = await world.made(receiver.url("/hook"))
    await world.done(webhook_id, {"do": "update", "secret": world.sealed(webhook_id)})
    assert len((await world.row(webhook_id)).secrets) == 1
    async with world.delivering():
        await world.happened("document.indexed")
        [got] = await receiver.until(1)
    assert got.verified(world.secrets[webhook_id])["type"] == "document.indexed"


async def test_a_test_goes_first_and_is_tried_once(world: World, receiver: Receiver) -> None:
    """Whatever the endpoint asked for, also while it waits or is paused."""
    webhook_id = await world.made(receiver.url("/hook"), "batch.completed")
    await world.happened("batch.completed")
    await world.change_row(webhook_id, "held_until = now() + interval '1 hour', failures = 3")
    async with world.delivering():
        result = await world.done(webhook_id, {"do": "test"})
        [got, *_] = await receiver.until(1)
        assert (got.event["type"], got.id) == ("webhook.test", result["delivery_id"])
        await world.until_states(webhook_id, "delivered", "delivered")
        await world.done(webhook_id, {"do": "update", "state": "paused"})
        receiver.answers.append(status(500))
        await world.done(webhook_id, {"do": "test"})
        await world.until_states(webhook_id, "delivered", "delivered", "failed")
    row = await world.row(webhook_id)
    assert (row.failures, row.slow) == (0, True)


async def test_a_test_that_fails_changes_no_pause(world: World, receiver: Receiver) -> None:
    """The endpoint is left alone as long as before, and has slots of those that fail."""
    webhook_id = await world.made(receiver.url("/status/500"))
    pause = "held_until = now() + interval '1 hour', failures = 3, failing_since = now()"
    await world.change_row(webhook_id, pause)
    before = await world.row(webhook_id)
    async with world.delivering():
        await world.done(webhook_id, {"do": "test"})
        await world.until_states(webhook_id, "failed")
    row = await world.row(webhook_id)
    assert (row.failures, row.failing_since) == (3, before.failing_since)
    assert (row.held_until, row.slow) == (before.held_until, True)


async def test_an_endpoint_of_an_end_user_is_tested_by_the_tenant(
    world: World, receiver: Receiver
) -> None:
    """What is told of it is that end user's, whoever asked."""
    webhook_id = await world.made(receiver.url("/hook"), subject="anna")
    async with world.delivering():
        result = await world.done(webhook_id, {"do": "test"})
        [got] = await receiver.until(1)
    assert got.id == result["delivery_id"]
    assert await world.subjects_of_events(webhook_id) == {"anna"}


async def test_failed_deliveries_are_sent_again_by_hand(world: World, receiver: Receiver) -> None:
    """One by its id, or all of a time that failed; each with all its attempts."""
    webhook_id = await world.made(receiver.url("/hook"))
    before = datetime.now(UTC) - SOON
    first, second, _ = await world.happened(*["document.parsed"] * 3)
    receiver.failing = {first.sequence, second.sequence}
    async with world.delivering():
        failed = await world.until_states(webhook_id, "failed", "failed", "delivered")
        receiver.failing, count = set(), len(receiver.got)
        one = {"do": "redeliver", "delivery_ids": [failed[0].delivery_id]}
        assert (await world.done(webhook_id, one))["redelivering"] == 1
        await world.until_states(webhook_id, "delivered", "failed", "delivered")
        all_ = {"do": "redeliver", "since": before.isoformat()}
        assert await world.done(webhook_id, all_) == {
            "status": 200,
            "redelivering": 1,
            "more_since": None,
        }
        rows = await world.until_states(webhook_id, "delivered", "delivered", "delivered")
        assert [each.event["sequence"] for each in receiver.got[count:]] == [
            first.sequence,
            second.sequence,
        ]
        everything = {**all_, "only_failed": False}
        assert (await world.done(webhook_id, everything))["redelivering"] == 3
        await receiver.until(count + 5)
        await world.until_states(webhook_id, "delivered", "delivered", "delivered")
    assert [each.delivery_id for each in rows[:2]] == [each.delivery_id for each in failed[:2]]


async def test_a_delivery_of_another_endpoint_is_not_sent(world: World, receiver: Receiver) -> None:
    """Not one of those that were named then."""
    mine, other = await world.made(receiver.url("/a")), await world.made(receiver.url("/b"))
    await world.happened("document.indexed")
    async with world.delivering():
        [own] = await world.until_states(mine, "delivered")
        [foreign] = await world.until_states(other, "delivered")
    change = {"do": "redeliver", "delivery_ids": [own.delivery_id, foreign.delivery_id]}
    assert await refused(world, mine, change) == (404, "not_found")
    assert [each.state for each in await world.deliveries(mine)] == ["delivered"]


async def test_with_an_endpoint_its_deliveries_go(world: World, receiver: Receiver) -> None:
    """Those that wait are not tried any more."""
    webhook_id = await world.made(receiver.url("/status/500"))
    await world.happened("document.indexed")
    async with world.delivering():
        await receiver.until(1)
        await world.done(webhook_id, {"do": "delete"})
        assert await world.deliveries(webhook_id) == []

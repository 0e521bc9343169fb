"""Deliveries on real sockets and a real Postgres: signed, in order, and whatever endpoints do."""

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import httpx2
import pytest

from schemas.addresses import Address
from schemas.webhook_secrets import Seal
from streams.webhooks.client import Sender
from streams.webhooks.patience import Patience
from tests.fakes.receiver import Receiver, receiving, status
from tests.integration.webhooks.conftest import LOOPBACK, World


async def test_an_event_is_delivered_signed(world: World, receiver: Receiver) -> None:
    """The library of Standard Webhooks takes it; it is a CloudEvent, its id that of the row."""
    webhook_id = await world.made(receiver.url("/hook"))
    [event] = await world.happened("document.indexed")
    async with world.delivering():
        [got] = await receiver.until(1)
        [row] = await world.until_states(webhook_id, "delivered")
    body = got.verified(world.secrets[webhook_id])
    assert (body["specversion"], body["type"], body["data"]) == ("1.0", event.type, event.data)
    assert (body["id"], body["sequence"]) == (event.id, event.sequence)
    assert body["time"] == body["timestamp"]
    assert got.headers["content-type"] == "application/json"
    assert (got.id, got.path) == (row.delivery_id, "/hook")
    assert (row.attempts, row.status_code, row.excerpt, row.error) == (1, 200, "ok", None)
    assert row.settled_at is not None


async def test_events_come_in_their_order_one_at_a_time(world: World, receiver: Receiver) -> None:
    """More of them than a run takes, with several workers."""
    webhook_id = await world.made(receiver.url("/hook"))
    events = await world.happened(*["document.parsed"] * 45)
    async with world.delivering(), world.delivering():
        got = await receiver.until(45)
    assert [each.event["sequence"] for each in got] == [each.sequence for each in events]
    assert receiver.most_at_once == {"/hook": 1}
    assert len({each.id for each in got}) == 45
    assert len(await world.deliveries(webhook_id)) == 45


async def test_only_what_an_endpoint_asked_for(world: World, receiver: Receiver) -> None:
    """By type and by prefix; never events of webhooks themselves."""
    await world.made(receiver.url("/batches"), "batch.completed")
    await world.made(receiver.url("/documents"), "document.*", "object.deleted")
    await world.made(receiver.url("/all"))
    await world.happened("document.failed", "batch.created", "batch.completed", "object.deleted")
    async with world.delivering():
        got = await receiver.until(7)
    kinds = {path: [each.event["type"] for each in got if each.path == path] for path in
             ("/batches", "/documents", "/all")}  # fmt: skip
    assert kinds == {
        "/batches": ["batch.completed"],
        "/documents": ["document.failed", "object.deleted"],
        "/all": ["document.failed", "batch.created", "batch.completed", "object.deleted"],
    }


async def test_tenants_and_end_users_get_their_own_events(world: World, receiver: Receiver) -> None:
    """An endpoint of a subject gets that one's, the tenant's all, another tenant's none."""
    other = await world.of_another()
    await other.made(receiver.url("/other"))
    await world.made(receiver.url("/tenant"))
    await world.made(receiver.url("/anna"), subject="anna")
    await world.happened("document.received")
    await world.happened("document.parsed", subject="anna")
    await world.happened("document.indexed", subject="bert")
    async with world.delivering():
        got = await receiver.until(4)
    assert sorted((each.path, each.event["type"]) for each in got) == [
        ("/anna", "document.parsed"),
        ("/tenant", "document.indexed"),
        ("/tenant", "document.parsed"),
        ("/tenant", "document.received"),
    ]


async def test_an_event_that_is_noticed_twice_is_delivered_once(
    world: World, receiver: Receiver
) -> None:
    """The record of an event comes again when a worker has died."""
    webhook_id = await world.made(receiver.url())
    [event] = await world.happened("document.indexed", noticed=False)
    for _ in range(2):
        await world.noticed_again(event)
    async with world.delivering():
        await world.until_states(webhook_id, "delivered")
    await world.noticed_again(event)
    assert len(await world.deliveries(webhook_id)) == 1


async def test_what_happened_before_an_endpoint_was_made_is_not_delivered(
    world: World, receiver: Receiver
) -> None:
    """Though its record is noticed later."""
    [event] = await world.happened("document.indexed", noticed=False)
    webhook_id = await world.made(receiver.url())
    await world.noticed_again(event)
    assert await world.deliveries(webhook_id) == []


@pytest.mark.parametrize(
    ("path", "error", "code"),
    [
        ("/redirect", "not_taken", 301),
        ("/status/500", "not_taken", 500),
        ("/status/404", "not_taken", 404),
        ("/hang", "timeout", None),
        ("/drip", "timeout", None),
    ],
)
async def test_what_does_not_take_it_is_tried_again_until_it_has_failed(
    world: World, receiver: Receiver, path: str, error: str, code: int | None
) -> None:
    """Each attempt with the same id and a signature of its own; redirects are not followed."""
    webhook_id = await world.made(receiver.url(path))
    await world.happened("document.indexed")
    quick = replace(world.patience, pauses=(0.05, 0.05), hold=9)
    async with world.delivering(patience=quick):
        [row] = await world.until_states(webhook_id, "failed")
    assert (row.attempts, row.error, row.status_code) == (3, error, code)
    assert {each.path for each in receiver.got} == {path}
    assert {each.id for each in receiver.got} == {row.delivery_id}
    assert (await world.row(webhook_id)).failures == 3


@pytest.mark.parametrize(("path", "excerpt"), [("/endless", "x" * 1024), ("/slow/0.4", "ok")])
async def test_what_takes_it_slowly_or_without_an_end_has_taken_it(
    world: World, receiver: Receiver, path: str, excerpt: str
) -> None:
    """Of a body a KiB is read."""
    webhook_id = await world.made(receiver.url(path))
    await world.happened("document.indexed")
    async with world.delivering():
        [row] = await world.until_states(webhook_id, "delivered")
    assert (row.excerpt, row.attempts) == (excerpt, 1)
    assert row.latency_ms >= (400 if path.startswith("/slow") else 0)


async def test_a_disabled_tenant_gets_nothing(world: World, receiver: Receiver) -> None:
    """Until it is enabled; others' endpoints are delivered to meanwhile."""
    webhook_id = await world.made(receiver.url("/hook"))
    other = await world.of_another()
    others = await other.made(receiver.url("/other"))
    await world.change_tenant("disabled_at = now()")
    await world.happened("document.indexed")
    await other.happened("document.indexed")
    async with world.delivering():
        await other.until_states(others, "delivered")
        assert [each.path for each in receiver.got] == ["/other"]
        assert [each.state for each in await world.deliveries(webhook_id)] == ["pending"]
        await world.change_tenant("disabled_at = NULL")
        await world.until_states(webhook_id, "delivered")


async def test_410_pauses_the_endpoint_at_once(world: World, receiver: Receiver) -> None:
    """It says that nobody is there any more; the event that tells is not delivered."""
    webhook_id = await world.made(receiver.url("/status/410"))
    await world.happened("document.indexed")
    async with world.delivering():
        await world.until(world.asked)
        await world.told()
    row = await world.row(webhook_id)
    assert (row.state, row.paused_reason) == ("paused", "it answered 410 Gone")
    assert row.due_at is None
    assert [each.state for each in await world.deliveries(webhook_id)] == ["pending"]


async def test_an_endpoint_that_fails_for_too_long_is_paused_and_resumed(
    world: World, receiver: Receiver
) -> None:
    """What waited, and what happened meanwhile, is delivered once it is active again."""
    webhook_id = await world.made(receiver.url("/hook"))
    receiver.answers.extend([status(500)] * 2)
    await world.happened("document.received")
    brief = Patience((0.1,) * 9, 2, timedelta(seconds=0.05))
    async with world.delivering(patience=brief):
        await world.until(world.asked)
        await world.told()
        assert (await world.row(webhook_id)).state == "paused"
        await world.happened("document.parsed")
        receiver.answers.clear()
        result = await world.done(webhook_id, {"do": "update", "state": "active"})
        await world.until_states(webhook_id, "delivered", "delivered")
    assert (result["webhook"]["state"], result["webhook"]["paused_reason"]) == ("active", None)
    kinds = [each.event["type"] for each in receiver.got]
    assert kinds[-2:] == ["document.received", "document.parsed"]
    assert set(kinds[:-2]) == {"document.received"}


async def test_a_pause_that_comes_late_is_void(world: World, receiver: Receiver) -> None:
    """Somebody has resumed the endpoint since it was ordered."""
    webhook_id = await world.made(receiver.url("/status/410"))
    await world.happened("document.indexed")
    async with world.delivering():
        await world.until(world.asked)
    await world.done(webhook_id, {"do": "update", "state": "active"})
    await world.told()
    assert (await world.row(webhook_id)).state == "active"


async def test_order_gives_way_to_one_that_fails_for_long(world: World, receiver: Receiver) -> None:
    """Later ones wait for two attempts; then they go on, and it is retried beside them."""
    webhook_id = await world.made(receiver.url("/hook"))
    first, second, third = await world.happened(*["document.parsed"] * 3)
    receiver.failing = {first.sequence}
    async with world.delivering():
        await world.until_states(webhook_id, "pending", "delivered", "delivered")
        seen = [each.event["sequence"] for each in receiver.got]
        assert seen[:4] == [first.sequence, first.sequence, second.sequence, third.sequence]
        receiver.failing = set()
        await world.until_states(webhook_id, "delivered", "delivered", "delivered")


async def test_retry_after_is_honoured(world: World, receiver: Receiver) -> None:
    """Of 429 and 503; it lengthens a pause, within bounds."""
    webhook_id = await world.made(receiver.url("/hook"))
    receiver.answers.append(status(429, "retry-after: 3600"))
    await world.happened("document.indexed")
    async with world.delivering():
        await receiver.until(1)
        await world.until_free(webhook_id)
    row = await world.row(webhook_id)
    assert timedelta(minutes=59) < row.held_until - row.failing_since <= timedelta(minutes=61)
    assert row.due_at == row.held_until


async def test_dead_endpoints_leave_slots_to_the_others(world: World) -> None:
    """Those that hang take a quarter of the slots at most, however many they are."""
    async with receiving() as dead, receiving() as alive:
        hanging = [await world.made(dead.url(f"/hang/{n}")) for n in range(4)]
        for webhook_id in hanging:
            await world.change_row(webhook_id, "failures = 1")
        await world.made(alive.url("/hook"))
        patient = replace(world.sender, timeout_s=30.0)
        async with world.delivering(sender=patient, slots=4):
            await world.happened("document.indexed")
            await dead.until(1)
            await alive.until(1)
            await world.happened("document.parsed")
            await alive.until(2)
            assert len(dead.got) == 1


async def test_a_name_that_moves_inwards_is_refused(world: World, receiver: Receiver) -> None:
    """It was public when the endpoint was made; what is connected to is what was judged."""
    asked = list[str]()

    async def moving(host: str, port: int) -> Sequence[str]:
        asked.append(f"{host}:{port}")
        return ["127.0.0.1"]

    sender = Sender(timeout_s=2.0, resolve=moving)
    webhook_id = await world.made(receiver.url("/hook", host="moves.example"))
    await world.happened("document.indexed")
    quick = replace(world.patience, pauses=(0.05,), hold=9)
    async with world.delivering(sender=sender, patience=quick):
        [row] = await world.until_states(webhook_id, "failed")
    assert (row.error, row.status_code, receiver.got) == ("private_address", None, [])
    assert asked == [f"moves.example:{receiver.port}"] * 2


async def test_the_connection_goes_to_the_address_that_was_judged(
    world: World, receiver: Receiver
) -> None:
    """A name is looked up once; asked again, it would lead elsewhere."""
    answers = [["127.0.0.1"]]

    async def once(_host: str, _port: int) -> Sequence[str]:
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "gone")
        return answers.pop()

    sender = Sender(timeout_s=2.0, allowed_networks=LOOPBACK, resolve=once)
    await world.made(receiver.url("/hook", host="hooks.example"))
    await world.happened("document.indexed")
    async with world.delivering(sender=sender):
        [got] = await receiver.until(1)
    assert got.headers["host"] == f"hooks.example:{receiver.port}"


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("http://93.184.216.34:1/", "https_only"),
        ("https://nowhere.invalid/", "no_such_host"),
        ("https://169.254.169.254/latest", "private_address"),
        ("https://[::ffff:10.0.0.1]/", "private_address"),
    ],
)
async def test_where_endpoints_may_not_be(world: World, url: str, error: str) -> None:
    """Nothing is sent, and the delivery says why."""
    webhook_id = await world.made(url)
    await world.happened("document.indexed")
    quick = replace(world.patience, pauses=(0.05,), hold=9)
    async with world.delivering(patience=quick):
        [row] = await world.until_states(webhook_id, "failed")
    assert row.error == error


async def test_a_worker_that_ends_leaves_its_deliveries_to_others(
    world: World, receiver: Receiver
) -> None:
    """What nobody has answered by then is delivered again, with the same id."""
    webhook_id = await world.made(receiver.url("/hang"))
    await world.happened("document.indexed")
    patient = replace(world.sender, timeout_s=60.0)
    async with world.delivering(sender=patient):
        await receiver.until(1)
    await world.change_row(webhook_id, "lease_until = now()")
    async with world.delivering():
        first, second = (await receiver.until(2))[:2]
    assert first.id == second.id


async def test_a_bug_is_a_failure_like_others(world: World, receiver: Receiver) -> None:
    """Neither lost nor sent for ever; other endpoints are delivered to."""

    class Broken(Sender):
        async def judged(self, url: httpx2.URL) -> list[Address]:
            if url.path == "/broken":
                raise ZeroDivisionError
            return await Sender.judged(self, url)

    broken = await world.made(receiver.url("/broken"))
    await world.made(receiver.url("/hook"))
    await world.happened("document.indexed")
    sender = Broken(timeout_s=2.0, allowed_networks=LOOPBACK)
    quick = replace(world.patience, pauses=(0.05,), hold=9)
    async with world.delivering(sender=sender, patience=quick):
        [row] = await world.until_states(broken, "failed")
        [got] = await receiver.until(1)
    assert (row.error, row.attempts, got.path) == ("internal_error", 2, "/hook")


async def test_a_secret_that_cannot_be_read_sends_nothing(world: World, receiver: Receiver) -> None:
    """As after the key was changed without giving the earlier one."""
    webhook_id = await world.made(receiver.url("/hook"))
    await world.happened("document.indexed")
    other = replace(world, seal=Seal("x" * 32))
    quick = replace(world.patience, pauses=(0.05,), hold=9)
    async with other.delivering(patience=quick):
        [row] = await world.until_states(webhook_id, "failed")
    assert (row.error, receiver.got) == ("secret_unreadable", [])


async def test_an_event_that_is_no_longer_kept_is_skipped(world: World, receiver: Receiver) -> None:
    """Those behind it are delivered."""
    webhook_id = await world.made(receiver.url("/hook"))
    first, second = await world.happened("document.indexed", "document.parsed")
    await world.forget(first)
    async with world.delivering():
        skipped, _ = await world.until_states(webhook_id, "skipped", "delivered")
        await asyncio.sleep(0)
    assert (skipped.error, skipped.attempts) == ("event_gone", 0)
    assert [each.event["sequence"] for each in receiver.got] == [second.sequence]

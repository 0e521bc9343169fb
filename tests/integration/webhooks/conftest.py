"""The stages and the deliverer on a real Postgres; Kafka is played by lists, receivers are real."""

import asyncio
import json
import uuid
from base64 import b64encode
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ipaddress import ip_network
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy import Row, insert, select, text

from schemas import topics, webhook_secrets
from schemas.envelope import Envelope
from schemas.events import EventType
from schemas.ids import REQUEST, WEBHOOK, Ids
from schemas.messages import CloudEvent, EventWatched, Message
from schemas.tables import EVENTS, GPTS, WEBHOOK_DELIVERIES, WEBHOOKS
from schemas.topics import Topic
from schemas.webhook_secrets import Seal
from schemas.webhooks import ChangeWebhook
from streams import events
from streams.batch_ledger import BatchLedger, Turn
from streams.clients.addresses import resolve
from streams.clients.postgres import Database
from streams.settings import Settings
from streams.stage import BatchStage, Event, Record, StepKey, Work
from streams.stages import notify, webhooks
from streams.webhooks.bell import Bell
from streams.webhooks.client import Sender
from streams.webhooks.deliverer import Deliverer, Means
from streams.webhooks.patience import Patience
from streams.wire import Incoming
from tests.fakes.publisher import FakePublisher
from tests.fakes.receiver import Receiver, receiving

MOST = 5
LOOPBACK = (ip_network("127.0.0.1/32"),)


@dataclass
class World:
    """A tenant, the two stages before a ledger, and a deliverer that is quick to try again."""

    database: Database
    ids: Ids
    seal: Seal
    gpt_id: str
    sender: Sender
    patience: Patience = field(
        default_factory=lambda: Patience((0.2, 0.2, 0.4, 0.4), 2, timedelta(hours=24))
    )
    bell: Bell = field(default_factory=Bell)
    publisher: FakePublisher = field(default_factory=FakePublisher)
    secrets: dict[str, str] = field(default_factory=dict)

    def delivering(self, **changes: Any) -> AbstractAsyncContextManager[None]:
        """Deliver while in this context."""
        means = Means(
            self.database,
            self.publisher,
            self.ids,
            self.seal,
            changes.pop("sender", self.sender),
            self.bell,
        )
        patience = changes.pop("patience", self.patience)
        given = {"owner": f"test-{uuid.uuid4().hex}", "slots": 8, **changes}
        return Deliverer(means, patience, **given).running()

    async def ask(
        self, webhook_id: str, change: Any, *, subject: str | None = None, request: str = ""
    ) -> dict[str, Any]:
        """Returns: the answer to a change, as the topic of results has it."""
        value = change.model_dump() if isinstance(change, BaseModel) else change
        message = ChangeWebhook.model_validate({"webhook_id": webhook_id, "change": value})
        stage = webhooks.stage(self.ids, self.bell, MOST)
        records = await self._through(stage, topics.CHANGE_WEBHOOK, message, subject, request)
        for record in records[1:]:
            await self.noticed(record)
        answer: dict[str, Any] = json.loads(records[0].value)
        return answer

    async def done(self, webhook_id: str, change: Any, **more: Any) -> dict[str, Any]:
        """Returns: the result of a change that is made."""
        answer = await self.ask(webhook_id, change, **more)
        assert answer["problem"] is None, answer
        result: dict[str, Any] = answer["result"]
        return result

    async def made(self, url: str, *patterns: str, **more: Any) -> str:
        """Returns: the id of a new endpoint; its secret is in `secrets`."""
        webhook_id = self.ids.mint(WEBHOOK, self.gpt_id)
        change = {
            "do": "create",
            "url": url,
            "events": patterns or ("*",),
            "secret": self.sealed(webhook_id),
        }
        await self.done(webhook_id, change, **more)
        return webhook_id

    def sealed(self, webhook_id: str) -> str:
        """Returns: a new secret of an endpoint as records carry it."""
        secret = webhook_secrets.mint()
        self.secrets[webhook_id] = webhook_secrets.text(secret)
        return b64encode(self.seal.seal(webhook_id, secret)).decode()

    async def happened(
        self, *kinds: str, subject: str | None = None, noticed: bool = True
    ) -> list[CloudEvent]:
        """Returns: new events of these types, which `notify` has worked off."""
        records = await self.entered(*kinds, subject=subject)
        for record in records if noticed else ():
            if record.topic == topics.EVENT_WATCHED.name:
                await self.noticed(record)
        events_of = [record for record in records if record.topic == topics.EVENTS.name]
        return [CloudEvent.model_validate_json(record.value) for record in events_of]

    async def entered(self, *kinds: str, subject: str | None = None) -> tuple[Record, ...]:
        """Returns: the records that new events of these types come to."""
        request_id = self.ids.mint(REQUEST, self.gpt_id)
        envelope = self._envelope(topics.EVENTS, subject, request_id)
        work = Work(StepKey(self.gpt_id, request_id, "test", 0), envelope, "test", None)
        new = [Event(EventType(kind), {"n": n}, "doc_1") for n, kind in enumerate(kinds)]
        async with self.database.transaction() as connection:
            return await events.enter(connection, work, new)

    async def noticed(self, record: Record) -> None:
        """Have `notify` work off the record of an event."""
        message = EventWatched.model_validate_json(record.value)
        envelope = Envelope.from_headers(record.headers)
        stage = notify.stage(self.ids, self.bell)
        work = stage.work(message, envelope, None, self.ids)
        await self._commit(stage, message, work)

    async def noticed_again(self, event: CloudEvent) -> None:
        """Have `notify` work off an event whose record comes late, or another time."""
        envelope = self._envelope(topics.EVENT_WATCHED, None, event.requestid or "")
        value = event.model_dump_json().encode()
        await self.noticed(Record(topics.EVENT_WATCHED.name, b"", value, envelope.to_headers()))

    async def forget(self, event: CloudEvent) -> None:
        """Have an event end, as old ones do."""
        table = EVENTS
        async with self.database.transaction() as connection:
            await connection.execute(table.delete().where(table.c.event_id == event.id))

    async def subjects_of_events(self, object_id: str) -> set[str | None]:
        """Returns: whose the events about this object are."""
        query = select(EVENTS.c.subject).where(EVENTS.c.object_id == object_id)
        async with self.database.transaction() as connection:
            return {row.subject for row in await connection.execute(query)}

    async def asked(self) -> bool:
        """Returns: whether the deliverer has published anything."""
        return bool(self.publisher.records)

    async def until_free(self, webhook_id: str) -> None:
        """Wait until nobody delivers to an endpoint."""

        async def free() -> bool:
            return (await self.row(webhook_id)).owner is None

        await self.until(free)

    async def ask_again(self, webhook_id: str, change: Any, request: str) -> str:
        """Returns: the digest that a repeat of a request is answered with."""
        answer = await self.ask(webhook_id, change, request=request)
        found: str = answer["result"]["secret_digest"]
        return found

    async def told(self) -> None:
        """Have the stages work off what the deliverer published."""
        for record in self.publisher.records:
            message = ChangeWebhook.model_validate_json(record.value)
            await self.ask(message.webhook_id, message.change)
        self.publisher.records.clear()

    async def deliveries(self, webhook_id: str) -> Sequence[Row[Any]]:
        table = WEBHOOK_DELIVERIES
        query = select(table).where(table.c.webhook_id == webhook_id).order_by(table.c.sequence)
        async with self.database.transaction() as connection:
            return (await connection.execute(query)).all()

    async def row(self, webhook_id: str) -> Row[Any]:
        query = select(WEBHOOKS).where(WEBHOOKS.c.webhook_id == webhook_id)
        async with self.database.transaction() as connection:
            return (await connection.execute(query)).one()

    async def until(self, true: Callable[[], Awaitable[Any]]) -> Any:
        """Returns: what this question answers, as soon as that is true."""
        for _ in range(1500):
            if found := await true():
                return found
            await asyncio.sleep(0.02)
        pytest.fail("it did not come true within 30 s")

    async def until_states(self, webhook_id: str, *states: str) -> Sequence[Row[Any]]:
        """Returns: the endpoint's deliveries, once they are in these states and nobody has it."""

        async def settled() -> Any:
            found = await self.deliveries(webhook_id)
            free = (await self.row(webhook_id)).owner is None
            return found if free and [each.state for each in found] == [*states] else None

        found: Sequence[Row[Any]] = await self.until(settled)
        return found

    async def change_row(self, webhook_id: str, assignments: str) -> None:
        """Have time pass, or whatever else a test needs of an endpoint's row."""
        statement = f"UPDATE webhooks SET {assignments} WHERE webhook_id = :id"  # noqa: S608
        async with self.database.transaction() as connection:
            await connection.execute(text(statement), {"id": webhook_id})
        self.bell.ring()

    async def change_tenant(self, assignments: str) -> None:
        """Have the tenant's row changed, as by whoever administers."""
        statement = f"UPDATE gpts SET {assignments} WHERE gpt_id = :id"  # noqa: S608
        async with self.database.transaction() as connection:
            await connection.execute(text(statement), {"id": self.gpt_id})
        self.bell.ring()

    async def of_another(self) -> "World":
        """The same for another tenant."""
        return replace(self, gpt_id=await _tenant(self.database))

    def _envelope(self, topic: Topic[Any], subject: str | None, request_id: str) -> Envelope:
        return Envelope(
            request_id=request_id,
            gpt_id=self.gpt_id,
            schema_name=topic.schema_name,
            subject=subject,
        )

    async def _through(
        self,
        stage: BatchStage[Any],
        topic: Topic[Any],
        message: Message,
        subject: str | None,
        request: str,
    ) -> tuple[Record, ...]:
        request_id = request or self.ids.mint(REQUEST, self.gpt_id)
        envelope = self._envelope(topic, subject, request_id)
        return await self._commit(stage, message, stage.work(message, envelope, None, self.ids))

    async def _commit(
        self, stage: BatchStage[Any], message: Message, work: Work
    ) -> tuple[Record, ...]:
        incoming = Incoming(stage.source.name, 0, 0, None, b"", (), lambda: False)
        ledger = BatchLedger(self.database, owner="test")
        done = await ledger.commit(stage, [Turn(incoming, message, work, "results")])
        return done.outputs[0]


async def _tenant(database: Database) -> str:
    gpt_id = f"t-{uuid.uuid4().hex[:12]}"
    async with database.transaction() as connection:
        await connection.execute(insert(GPTS).values(gpt_id=gpt_id, name="A test's own"))
    return gpt_id


@pytest.fixture
async def world(settings: Settings, database: Database) -> AsyncIterator[World]:
    """A tenant of the test's own; its endpoints are gone afterwards."""
    gpt_id = await _tenant(database)
    ids = Ids(settings.id_secret.get_secret_value())
    sender = Sender(timeout_s=0.8, allowed_networks=LOOPBACK, resolve=resolve)
    yield World(database, ids, Seal("k" * 32), gpt_id, sender)
    async with database.transaction() as connection:
        await connection.execute(WEBHOOKS.delete())


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """Where deliveries go."""
    async with receiving() as running:
        yield running

"""Webhooks: endpoints are made, changed, paused, tested and removed, and delivered to again.

Reads change-webhook. Writes webhooks and webhook_deliveries; emits nothing but its events. What is
due is delivered by `streams/webhooks/deliverer.py`, which orders the pauses too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from schemas import topics
from schemas.ids import WEBHOOK, Ids
from schemas.webhooks import (
    ChangeWebhook,
    CreateWebhook,
    DeleteWebhook,
    PauseWebhook,
    Redeliver,
    TestWebhook,
    UpdateWebhook,
)
from streams import events, failures
from streams.errors import Refused
from streams.stage import BatchStage, Taken, Verdict, Work
from streams.stages.notify import delivery_of_test
from streams.webhooks import again, changes
from streams.webhooks.bell import Bell
from streams.webhooks.changes import Change

NAME: Final = "webhooks"


def stage(ids: Ids, bell: Bell, most: int) -> BatchStage[ChangeWebhook]:
    """Returns: the stage; a tenant may have `most` endpoints. It rings when something is due."""
    return BatchStage(NAME, topics.CHANGE_WEBHOOK, _Changer(ids, bell, most).change)


@dataclass(frozen=True, slots=True)
class _Changer:
    ids: Ids
    bell: Bell
    most: int

    async def change(
        self, connection: AsyncConnection, taken: Sequence[Taken[ChangeWebhook]]
    ) -> list[Verdict]:
        more_or_fewer = {
            each.work.gpt_id
            for each in taken
            if isinstance(each.message.change, CreateWebhook | DeleteWebhook)
        }
        await changes.lock(connection, more_or_fewer, {each.message.webhook_id for each in taken})
        verdicts = [await self._verdict(connection, each) for each in taken]
        await events.watch(connection, more_or_fewer)
        self.bell.ring()
        return verdicts

    async def _verdict(self, connection: AsyncConnection, taken: Taken[ChangeWebhook]) -> Verdict:
        work = taken.work
        try:
            done = await self._done(connection, taken.message, work)
        except Refused as error:
            cause = failures.problem(error.code, error.detail, work.request_id, error.status)
            return Verdict(problem=cause)
        return Verdict(result=done.answer(), events=done.events)

    async def _done(
        self, connection: AsyncConnection, message: ChangeWebhook, work: Work
    ) -> Change:
        webhook_id, change = message.webhook_id, message.change
        if not self.ids.verify(webhook_id, WEBHOOK, work.gpt_id):
            raise Refused("not_found", "There is no such webhook.", 404)
        if isinstance(change, CreateWebhook):
            return await changes.create(connection, work, webhook_id, change, self.most)
        row = await changes.find(connection, work, webhook_id)
        match change:
            case UpdateWebhook():
                return await changes.edit(connection, row, change)
            case DeleteWebhook():
                return await changes.remove(connection, row, change)
            case PauseWebhook():
                return await changes.pause(connection, row, change)
            case Redeliver():
                return await again.redeliver(connection, row, change)
            case TestWebhook():
                delivery_id = delivery_of_test(self.ids, work.gpt_id, work.request_id)
                return changes.tested(row, delivery_id)

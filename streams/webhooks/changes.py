"""What may be done to an endpoint, and what follows from it; its row is locked.

A caller with an end user has endpoints of its own, and does not see that there are others.
"""

from base64 import b64decode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import JsonValue
from sqlalchemy import Row, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from schemas.events import EventType
from schemas.states import WebhookState
from schemas.tables import GPTS, WEBHOOK_DELIVERIES, WEBHOOKS
from schemas.webhook_secrets import digest
from schemas.webhooks import (
    CreateWebhook,
    DeleteWebhook,
    PauseWebhook,
    UpdateWebhook,
)
from streams.errors import Refused
from streams.stage import Event, Work
from streams.webhooks import due

MAX_SECRETS: Final = 5
_BY_OWNER: Final = "its owner paused it"
_AT_ONCE: Final = 10_000
"""Deliveries of a deleted endpoint that go with it; more of them go with the sweep of old rows."""

_HIDDEN: Final = {"gpt_id", "subject", "secrets", "slow", "due_at", "owner", "lease_until"}
_SHOWN: Final = [column for column in WEBHOOKS.c if column.name not in _HIDDEN]
# What was tried before counts for nothing any more: each delivery has all its attempts again.
_RESUME: Final = """
UPDATE webhook_deliveries SET attempts_before = attempts, retry_at = NULL
WHERE webhook_id = %s AND state = 'pending' AND (attempts > attempts_before OR retry_at IS NOT NULL)
"""


@dataclass(frozen=True, slots=True)
class Change:
    """What was done: HTTP's status, the answer, and what is told to everyone."""

    result: dict[str, Any]
    events: Sequence[Event] = ()
    status: int = 200

    def answer(self) -> dict[str, Any]:
        """Returns: the result of the request."""
        return {"status": self.status, **self.result}


async def lock(
    connection: AsyncConnection, gpt_ids: Iterable[str], webhook_ids: Iterable[str]
) -> None:
    """Lock tenants that get or lose endpoints, and endpoints, in the order of all stages."""
    tenants = select(GPTS.c.gpt_id).where(GPTS.c.gpt_id.in_(sorted(gpt_ids)))
    await connection.execute(tenants.order_by(GPTS.c.gpt_id).with_for_update(key_share=True))
    await due.lock(connection, sorted(webhook_ids))


async def find(connection: AsyncConnection, work: Work, webhook_id: str) -> Row[Any]:
    """Returns: the endpoint's row. Raises: Refused (404): the caller has no such endpoint."""
    query = select(WEBHOOKS).where(
        WEBHOOKS.c.webhook_id == webhook_id, WEBHOOKS.c.gpt_id == work.gpt_id
    )
    row = (await connection.execute(query)).one_or_none()
    subject = work.envelope.subject
    if row is None or (subject is not None and row.subject != subject):
        raise Refused("not_found", "There is no such webhook.", 404)
    return row


async def create(
    connection: AsyncConnection, work: Work, webhook_id: str, change: CreateWebhook, most: int
) -> Change:
    """Make an endpoint. Raises: Refused: the tenant is gone, or has as many as it may have."""
    gone = select(GPTS.c.deleted_at).where(GPTS.c.gpt_id == work.gpt_id)
    tenant = (await connection.execute(gone)).one_or_none()
    if tenant is None or tenant.deleted_at is not None:
        raise Refused("gpt_deleted", "The GPT was deleted.", 404)
    counted = select(func.count()).where(WEBHOOKS.c.gpt_id == work.gpt_id)
    if (await connection.execute(counted)).scalar_one() >= most:
        detail = f"The GPT has {most} webhooks, which is as many as it may have; delete one."
        raise Refused("too_many_webhooks", detail, 403)
    sealed = b64decode(change.secret)
    made = insert(WEBHOOKS).values(
        webhook_id=webhook_id,
        gpt_id=work.gpt_id,
        subject=work.envelope.subject,
        url=change.url,
        description=change.description,
        events=list(change.events),
        secrets=[sealed],
        state=WebhookState.ACTIVE,
    )
    await connection.execute(made)
    told: dict[str, JsonValue] = {"url": change.url, "events": [*change.events]}
    result = await shown(connection, webhook_id) | {"secret_digest": digest(sealed)}
    return Change(result, (Event(EventType.WEBHOOK_CREATED, told, webhook_id),), 201)


async def edit(connection: AsyncConnection, row: Row[Any], change: UpdateWebhook) -> Change:
    """Change an endpoint; one that becomes active gets what has waited. Raises: Refused: (412)."""
    if change.if_version is not None and change.if_version != row.version:
        detail = f"The webhook is at version {row.version}, not {change.if_version}."
        raise Refused("version_conflict", detail, 412)
    values = _given(row, change)
    begins_anew = {"failures": 0, "failing_since": None, "held_until": None, "slow": False}
    moved = change.url not in {None, row.url}
    state = change.state
    if state is None and moved and row.paused_reason != _BY_OWNER:
        # It was paused because nothing was taken where it was.
        state = "active"
    resumed = state == "active" or moved
    if state is not None:
        reason = _BY_OWNER if state == "paused" else None
        values |= {"state": state, "paused_reason": reason}
    changed = update(WEBHOOKS).where(WEBHOOKS.c.webhook_id == row.webhook_id)
    await connection.execute(
        changed.values(
            **values,
            **(begins_anew if resumed else {}),
            version=WEBHOOKS.c.version + 1,
            updated_at=func.now(),
        )
    )
    if resumed:
        await connection.exec_driver_sql(_RESUME, (row.webhook_id,))
    await due.write(connection, [row.webhook_id])
    result = await shown(connection, row.webhook_id)
    told: dict[str, JsonValue] = {
        name: result["webhook"][name] for name in ("url", "events", "state")
    }
    if change.secret is not None:
        result |= {"secret_digest": digest(b64decode(change.secret))}
    return Change(result, (_event(EventType.WEBHOOK_UPDATED, row, told),))


async def pause(connection: AsyncConnection, row: Row[Any], change: PauseWebhook) -> Change:
    """Pause an endpoint that fails, unless somebody has changed it since."""
    if row.state != WebhookState.ACTIVE or row.version != change.version:
        return Change({"paused": False})
    changed = update(WEBHOOKS).where(WEBHOOKS.c.webhook_id == row.webhook_id)
    await connection.execute(
        changed.values(
            state=WebhookState.PAUSED,
            paused_reason=change.reason,
            version=WEBHOOKS.c.version + 1,
            updated_at=func.now(),
        )
    )
    await due.write(connection, [row.webhook_id])
    told: dict[str, JsonValue] = {
        "url": row.url,
        "reason": change.reason,
        "failures": change.failures,
    }
    return Change({"paused": True}, (_event(EventType.WEBHOOK_PAUSED, row, told),))


async def remove(connection: AsyncConnection, row: Row[Any], _: DeleteWebhook) -> Change:
    """Remove an endpoint and its deliveries."""
    result = await shown(connection, row.webhook_id)
    table = WEBHOOK_DELIVERIES.c
    some = select(table.delivery_id).where(
        table.gpt_id == row.gpt_id, table.webhook_id == row.webhook_id
    )
    await connection.execute(
        delete(WEBHOOK_DELIVERIES).where(table.delivery_id.in_(some.limit(_AT_ONCE)))
    )
    await connection.execute(delete(WEBHOOKS).where(WEBHOOKS.c.webhook_id == row.webhook_id))
    return Change(result, (_event(EventType.WEBHOOK_DELETED, row, {"url": row.url}),))


def tested(row: Row[Any], delivery_id: str) -> Change:
    """Have a test delivered, which `notify` enters as it does all events."""
    told = _event(EventType.WEBHOOK_TEST, row, {"note": "a test of this endpoint"})
    return Change({"delivery_id": delivery_id}, (told,))


async def shown(connection: AsyncConnection, webhook_id: str) -> dict[str, Any]:
    """Returns: `webhook`, the endpoint as answers show it; times are UTC, RFC 3339."""
    query = select(*_SHOWN).where(WEBHOOKS.c.webhook_id == webhook_id)
    row = (await connection.execute(query)).mappings().one()
    return {"webhook": {name: _plain(value) for name, value in row.items()}}


def _event(kind: EventType, row: Row[Any], told: dict[str, JsonValue]) -> Event:
    # It is its owner's, whoever asked for the change.
    return Event(kind, told, row.webhook_id, subject=row.subject)


def _given(row: Row[Any], change: UpdateWebhook) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: getattr(change, name)
        for name in ("url", "description")
        if getattr(change, name) is not None
    }
    if change.events is not None:
        values["events"] = list(change.events)
    if change.secret is not None:
        old = _signing(row) if change.old_secrets_end_at is not None else []
        values["secrets"] = [b64decode(change.secret), *old][:MAX_SECRETS]
        values["old_secrets_end_at"] = change.old_secrets_end_at
    return values


def _signing(row: Row[Any]) -> list[bytes]:
    end = row.old_secrets_end_at
    return list(row.secrets if end is not None and end > datetime.now(UTC) else row.secrets[:1])


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value

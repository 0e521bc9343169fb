"""Reads of webhooks: endpoints and their deliveries. Secrets are not among what is read."""

from datetime import datetime
from typing import Final

from sqlalchemy import func, select, tuple_

from gateway.database import Reader
from gateway.errors import NotFound
from gateway.principal import Principal
from gateway.queries.scope import owned
from schemas.api.webhooks import (
    Delivery,
    DeliveryFilter,
    DeliveryPage,
    Webhook,
    WebhookDetail,
    WebhookPage,
)
from schemas.states import DeliveryState
from schemas.tables import WEBHOOK_DELIVERIES, WEBHOOKS

_COUNTED: Final = 10_000
_SHOWN: Final = [WEBHOOKS.c[name] for name in Webhook.model_fields]
_DELIVERY: Final = [WEBHOOK_DELIVERIES.c[name] for name in Delivery.model_fields]


async def page(
    reader: Reader, principal: Principal, after: tuple[datetime, str] | None, limit: int
) -> WebhookPage:
    """Returns: up to `limit` endpoints, oldest first, behind `after`, without a cursor yet."""
    order = (WEBHOOKS.c.created_at, WEBHOOKS.c.webhook_id)
    query = select(*_SHOWN).where(*owned(WEBHOOKS, principal)).order_by(*order)
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*after))
    rows = await reader.rows(query.limit(limit + 1), principal.gpt_id)
    items = [Webhook(**row) for row in rows[:limit]]
    return WebhookPage(items=items, next_cursor=None, has_more=len(rows) > limit)


async def find(reader: Reader, principal: Principal, webhook_id: str) -> WebhookDetail:
    """Returns: an endpoint with what waits for it. Raises: NotFound: the caller has none such."""
    table = WEBHOOK_DELIVERIES.c
    waiting = (
        select(table.created_at)
        .where(table.webhook_id == webhook_id, table.state == DeliveryState.PENDING)
        .limit(_COUNTED)
        .subquery()
    )
    query = select(
        *_SHOWN,
        select(func.count()).select_from(waiting).scalar_subquery().label("pending"),
        select(func.min(waiting.c.created_at)).scalar_subquery().label("oldest_pending_at"),
    ).where(WEBHOOKS.c.webhook_id == webhook_id, *owned(WEBHOOKS, principal))
    row = await reader.row(query, principal.gpt_id)
    if row is None:
        raise NotFound("there is no such webhook; check the id")
    return WebhookDetail(**row)


async def deliveries(
    reader: Reader,
    principal: Principal,
    webhook_id: str,
    wanted: DeliveryFilter,
    before: int | None,
) -> DeliveryPage:
    """Returns: up to `limit` deliveries to an endpoint that is the caller's, latest first.

    Those of events before the number `before`. The page bears no cursor yet.
    """
    table = WEBHOOK_DELIVERIES.c
    query = (
        select(*_DELIVERY)
        .where(table.gpt_id == principal.gpt_id, table.webhook_id == webhook_id)
        .order_by(table.sequence.desc())
    )
    if wanted.state is not None:
        query = query.where(table.state == wanted.state)
    if wanted.type is not None:
        query = query.where(table.event_type == wanted.type)
    if before is not None:
        query = query.where(table.sequence < before)
    rows = await reader.rows(query.limit(wanted.limit + 1), principal.gpt_id)
    items = [Delivery(**row) for row in rows[: wanted.limit]]
    return DeliveryPage(items=items, next_cursor=None, has_more=len(rows) > wanted.limit)


async def delivery(
    reader: Reader, principal: Principal, webhook_id: str, delivery_id: str
) -> Delivery:
    """Returns: a delivery to an endpoint that is the caller's. Raises: NotFound: no such one."""
    table = WEBHOOK_DELIVERIES.c
    query = select(*_DELIVERY).where(
        table.gpt_id == principal.gpt_id,
        table.webhook_id == webhook_id,
        table.delivery_id == delivery_id,
    )
    row = await reader.row(query, principal.gpt_id)
    if row is None:
        raise NotFound("there is no such delivery; check the id")
    return Delivery(**row)

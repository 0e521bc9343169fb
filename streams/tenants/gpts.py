"""What may be done to a tenant itself, and what follows from it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import JsonValue
from sqlalchemy import func, update
from sqlalchemy.dialects.postgresql import insert

from schemas.events import EventType
from schemas.tables import API_KEYS, GPTS
from schemas.tenants import (
    ADMIN,
    ChangeQuotas,
    CreateGpt,
    DeleteGpt,
    DisableGpt,
    EnableGpt,
)
from streams.errors import Refused
from streams.stage import Event, Guarded
from streams.tenants.known import Decision, Tenant

Change = ChangeQuotas | DisableGpt | EnableGpt | DeleteGpt


def decide(change: Change, tenant: Tenant) -> Decision:
    """Returns: what a change comes to. Raises: Refused: it cannot be made, with the reason."""
    match change:
        case ChangeQuotas():
            return _change(change, tenant)
        case DisableGpt():
            return _disable(tenant)
        case EnableGpt():
            return _enable(tenant)
        case DeleteGpt():
            return _delete(tenant)


def create(change: CreateGpt, gpt_id: str, known: Tenant | datetime | None) -> Decision:
    """Returns: how a tenant is made. Raises: Refused (409): its id was given before."""
    exists = Refused("gpt_exists", f"There is a GPT {gpt_id} already.", 409)
    if isinstance(known, Tenant):
        raise exists
    if known is not None:
        detail = f"The id {gpt_id} belonged to a GPT that was deleted; choose another one."
        raise Refused("gpt_exists", detail, 409)
    made = insert(GPTS).values(
        gpt_id=gpt_id,
        name=change.name,
        max_objects=change.max_objects,
        max_bytes=change.max_bytes,
    )
    # Without RETURNING it would not be known how many rows were entered.
    entered = Guarded(made.on_conflict_do_nothing().returning(GPTS.c.gpt_id), exists)
    event = Event(EventType.GPT_CREATED, {"gpt_id": gpt_id, "name": change.name}, gpt_id)
    return Decision(201, (entered,), (event,))


def _change(change: ChangeQuotas, tenant: Tenant) -> Decision:
    values: dict[str, Any] = {name: getattr(change, name) for name in change.given}
    if "name" in values and change.name is None:
        raise Refused("invalid_input", "A GPT cannot be without a name.", 422)
    return _updated(tenant, values, {"changed": [*sorted(values)]}) if values else Decision()


def _disable(tenant: Tenant) -> Decision:
    _unprotected(tenant, "disabled")
    if tenant.disabled:
        return Decision(stale=())
    return _updated(tenant, {"disabled_at": tenant.now}, {"disabled": True}, stale=())


def _enable(tenant: Tenant) -> Decision:
    if not tenant.disabled:
        return Decision(stale=())
    return _updated(tenant, {"disabled_at": None}, {"disabled": False}, stale=())


def _delete(tenant: Tenant) -> Decision:
    _unprotected(tenant, "deleted")
    keys = API_KEYS.c
    ended = update(API_KEYS).where(keys.gpt_id == tenant.gpt_id, keys.revoked_at.is_(None))
    tombstone = update(GPTS).where(GPTS.c.gpt_id == tenant.gpt_id)
    return Decision(
        200,
        (
            tombstone.values(deleted_at=tenant.now, updated_at=func.now()),
            ended.values(revoked_at=tenant.now),
        ),
        (Event(EventType.GPT_DELETED, {"gpt_id": tenant.gpt_id}, tenant.gpt_id),),
        stale=(),
        gone=True,
    )


def _updated(
    tenant: Tenant,
    values: Mapping[str, Any],
    told: Mapping[str, JsonValue],
    stale: tuple[str, ...] | None = None,
) -> Decision:
    statement = update(GPTS).where(GPTS.c.gpt_id == tenant.gpt_id)
    event = Event(EventType.GPT_UPDATED, {"gpt_id": tenant.gpt_id, **told}, tenant.gpt_id)
    changed = statement.values(**values, updated_at=func.now())
    return Decision(200, (changed,), (event,), stale=stale)


def _unprotected(tenant: Tenant, done: str) -> None:
    if tenant.gpt_id == ADMIN:
        detail = f"The GPT {ADMIN} cannot be {done}: without it nobody could administer the others."
        raise Refused("admin_protected", detail, 409)

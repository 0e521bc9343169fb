"""What may be done to a tenant's keys, and what follows from it."""

from typing import Final

from pydantic import JsonValue
from sqlalchemy import update
from sqlalchemy.dialects.postgresql import insert

from schemas.events import EventType
from schemas.tables import API_KEYS
from schemas.tenants import ADMIN, CreateKey, NewKey, RevokeKey, RotateKey
from streams.errors import Refused
from streams.stage import Event, Guarded
from streams.tenants.known import Decision, KnownKey, Tenant

MAX_LIVE: Final = 200
"""Live keys of a tenant."""


def decide(change: CreateKey | RotateKey | RevokeKey, tenant: Tenant, request_id: str) -> Decision:
    """Returns: what a change comes to.

    Raises: Refused: there is no such key (404), it was revoked or rotated before, its id is taken,
        or it is the last one that can administer (409), the scopes are not for this tenant (422),
        or the tenant has as many keys as it may have (403).
    """
    match change:
        case CreateKey():
            return _create(change, tenant, request_id)
        case RotateKey():
            return _rotate(change, tenant, request_id)
        case RevokeKey():
            return _revoke(change, tenant)


def _create(change: CreateKey, tenant: Tenant, request_id: str) -> Decision:
    _new(change, tenant)
    _room(tenant)
    scopes: list[JsonValue] = [*change.scopes]
    told = {**_told(tenant, change.key_id), "name": change.name, "scopes": scopes}
    return Decision(
        201,
        (_entered(change, tenant, request_id),),
        (Event(EventType.KEY_CREATED, told, change.key_id),),
        shows=change.key_id,
        stale=(change.key_id,),
    )


def _rotate(change: RotateKey, tenant: Tenant, request_id: str) -> Decision:
    old = _own(tenant, change.replaces)
    if old.revoked_at is not None:
        raise Refused("key_revoked", f"The key {old.key_id} was revoked; make a new one.", 409)
    if old.replaced_by is not None:
        detail = f"The key {old.key_id} was rotated into {old.replaced_by}; rotate that one."
        raise Refused("key_replaced", detail, 409)
    _new(change, tenant)
    ends_at = change.old_ends_at or tenant.now
    # One that ends now makes room for the new one; one that has ended already makes none.
    if ends_at > tenant.now or not old.lives(tenant.now):
        _room(tenant)
    if old.expires_at is not None:
        ends_at = min(ends_at, old.expires_at)
    ended = update(API_KEYS).where(API_KEYS.c.key_id == old.key_id)
    told = {**_told(tenant, change.key_id), "replaces": old.key_id, "name": change.name}
    return Decision(
        201,
        (
            _entered(change, tenant, request_id),
            ended.values(replaced_by=change.key_id, expires_at=ends_at),
        ),
        (Event(EventType.KEY_ROTATED, told, change.key_id),),
        shows=change.key_id,
        stale=(old.key_id, change.key_id),
    )


def _revoke(change: RevokeKey, tenant: Tenant) -> Decision:
    key = _own(tenant, change.key_id)
    if key.revoked_at is not None:
        return Decision(shows=key.key_id, stale=(key.key_id,))
    if tenant.gpt_id == ADMIN and tenant.live() == [key]:
        detail = "It is the last key that can administer; make another one first, or rotate it."
        raise Refused("last_admin_key", detail, 409)
    ended = update(API_KEYS).where(API_KEYS.c.key_id == key.key_id)
    return Decision(
        200,
        (ended.values(revoked_at=tenant.now),),
        (Event(EventType.KEY_REVOKED, _told(tenant, key.key_id), key.key_id),),
        shows=key.key_id,
        stale=(key.key_id,),
    )


def _own(tenant: Tenant, key_id: str) -> KnownKey:
    key = tenant.key(key_id)
    if key is None:
        raise Refused("not_found", f"The GPT {tenant.gpt_id} has no key {key_id}.", 404)
    return key


def _new(change: NewKey, tenant: Tenant) -> None:
    if any(key.key_id == change.key_id for key in tenant.keys):
        raise _exists()
    administers = "admin" in change.scopes
    if administers and tenant.gpt_id != ADMIN:
        detail = f"The scope admin is for keys of the GPT {ADMIN} alone."
        raise Refused("invalid_scope", detail, 422)
    if tenant.gpt_id == ADMIN and set(change.scopes) != {"admin"}:
        raise Refused("invalid_scope", f"Keys of the GPT {ADMIN} have the scope admin only.", 422)


def _room(tenant: Tenant) -> None:
    if len(tenant.live()) >= MAX_LIVE:
        detail = (
            f"The GPT {tenant.gpt_id} has {MAX_LIVE} live keys, which is the limit; revoke one."
        )
        raise Refused("too_many_keys", detail, 403)


def _exists() -> Refused:
    return Refused("key_exists", "A key of this id exists; make one with another id.", 409)


def _entered(change: NewKey, tenant: Tenant, request_id: str) -> Guarded:
    entry = insert(API_KEYS).values(
        key_id=change.key_id,
        gpt_id=tenant.gpt_id,
        subject=change.subject,
        name=change.name,
        scopes=list(dict.fromkeys(change.scopes)),
        rate_limits=change.rate_limits,
        hash=bytes.fromhex(change.hash_hex),
        request_id=request_id,
        expires_at=change.expires_at,
        created_at=tenant.now,
    )
    # Without RETURNING it would not be known how many rows were entered.
    return Guarded(entry.on_conflict_do_nothing().returning(API_KEYS.c.key_id), _exists())


def _told(tenant: Tenant, key_id: str) -> dict[str, JsonValue]:
    return {"gpt_id": tenant.gpt_id, "key_id": key_id}

"""What may be done to tenants and keys, judged on what is known of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from schemas.tenants import ADMIN, ChangeGpt
from streams.errors import Refused
from streams.stages.tenants import judged
from streams.tenants.keys import MAX_LIVE
from streams.tenants.known import Decision, KnownKey, Tenant

NOW = datetime(2026, 11, 21, 10, tzinfo=UTC)
LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)
HASH = "0" * 64
OLD, NEW = "A" * 16, "B" * 16


def key(key_id: str = OLD, gpt_id: str = "mine", **more: Any) -> KnownKey:
    """A key as it stands."""
    return KnownKey(key_id, gpt_id, ("read",), **more)


def tenant(*keys: KnownKey, gpt_id: str = "mine", disabled: bool = False) -> Tenant:
    """A tenant as it stands."""
    return Tenant(gpt_id, NOW, disabled, keys)


def decide(change: dict[str, Any], found: Tenant | datetime | None) -> Decision:
    """What a change comes to."""
    gpt_id = found.gpt_id if isinstance(found, Tenant) else "mine"
    message = ChangeGpt.model_validate({"gpt_id": gpt_id, "change": change, "by": "key:x"})
    return judged(message, found, "req_1")


def refusal(change: dict[str, Any], found: Tenant | datetime | None) -> tuple[int, str]:
    """How a change is refused."""
    with pytest.raises(Refused) as caught:
        decide(change, found)
    return caught.value.status, caught.value.code


def create_key(*scopes: str, **more: Any) -> dict[str, Any]:
    """A key that is to be entered."""
    new = {"key_id": NEW, "hash_hex": HASH, "name": "x", "scopes": scopes or ("read",)}
    return {"op": "create-key", **new, **more}


def rotate_key(*scopes: str, **more: Any) -> dict[str, Any]:
    """A key that is to take the old one's place."""
    return {**create_key(*scopes), "op": "rotate-key", "replaces": OLD, **more}


REVOKE = {"op": "revoke-key", "key_id": OLD}


@pytest.mark.parametrize("found", [tenant(), BEFORE], ids=["living", "deleted"])
def test_an_id_is_given_once(found: Tenant | datetime) -> None:
    """Neither to a second tenant while the first lives, nor ever after."""
    assert refusal({"op": "create-gpt", "name": "x"}, found) == (409, "gpt_exists")


@pytest.mark.parametrize("found", [None, BEFORE], ids=["unknown", "deleted"])
@pytest.mark.parametrize("op", ["enable-gpt", "disable-gpt", "delete-gpt", "create-key"])
def test_nothing_is_done_to_what_is_not_there(found: datetime | None, op: str) -> None:
    """A deleted tenant is as if it had never been."""
    assert refusal({**create_key(), "op": op}, found) == (404, "not_found")


@pytest.mark.parametrize(
    ("change", "told", "stale"),
    [
        ({"op": "change-gpt", "name": "y", "given": ["name"]}, ["gpt.updated"], None),
        ({"op": "change-gpt", "given": []}, [], None),
        ({"op": "disable-gpt"}, ["gpt.updated"], ()),
        ({"op": "enable-gpt"}, [], ()),
        ({"op": "delete-gpt"}, ["gpt.deleted"], ()),
        (create_key(), ["key.created"], (NEW,)),
        (rotate_key(), ["key.rotated"], (OLD, NEW)),
        (REVOKE, ["key.revoked"], (OLD,)),
    ],
    ids=lambda value: value.get("op") if isinstance(value, dict) else "",
)
def test_each_change_tells_what_happened(
    change: dict[str, Any], told: list[str], stale: tuple[str, ...] | None
) -> None:
    """An event where something changed; the keys that gateways must forget."""
    decision = decide(change, tenant(key()))
    assert [event.type for event in decision.events] == told
    assert decision.stale == stale
    assert bool(decision.statements) is bool(told)
    assert not any(HASH in str(event.data) for event in decision.events)


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        (key(revoked_at=BEFORE), (409, "key_revoked")),
        (key(replaced_by="C" * 16), (409, "key_replaced")),
        (key(gpt_id="another"), (404, "not_found")),
    ],
    ids=["revoked", "replaced", "foreign"],
)
def test_keys_that_are_not_rotated(old: KnownKey, expected: tuple[int, str]) -> None:
    """Each for a reason of its own."""
    assert refusal(rotate_key(), tenant(old)) == expected


def test_an_expired_key_is_rotated() -> None:
    """That it ended is a reason to have a new one."""
    decision = decide(rotate_key(old_ends_at=LATER), tenant(key(expires_at=BEFORE)))
    assert (decision.status, decision.shows) == (201, NEW)


@pytest.mark.parametrize(
    ("change", "full", "expected"),
    [
        (create_key(), MAX_LIVE, "too_many_keys"),
        (create_key(), MAX_LIVE - 1, None),
        (rotate_key(), MAX_LIVE, None),
        (rotate_key(old_ends_at=LATER), MAX_LIVE, "too_many_keys"),
        (rotate_key(old_ends_at=LATER), MAX_LIVE - 1, None),
    ],
)
def test_live_keys_are_counted(change: dict[str, Any], full: int, expected: str | None) -> None:
    """One that takes another one's place at once is none more."""
    ended = key("E" * 16, expires_at=BEFORE), key("F" * 16, revoked_at=BEFORE)
    others = [key(f"{number:016d}") for number in range(full - 1)]
    found = tenant(key(), *others, *ended)
    if expected is None:
        assert decide(change, found).status == 201
    else:
        assert refusal(change, found) == (403, expected)


@pytest.mark.parametrize("ends_at", [None, LATER])
def test_an_ended_key_makes_no_room(ends_at: datetime | None) -> None:
    """Who rotates one has a live key more."""
    others = [key(f"{number:016d}") for number in range(MAX_LIVE)]
    change = rotate_key(old_ends_at=ends_at)
    assert refusal(change, tenant(key(expires_at=BEFORE), *others)) == (403, "too_many_keys")
    assert decide(change, tenant(key(expires_at=BEFORE), *others[1:])).status == 201


@pytest.mark.parametrize(
    ("gpt_id", "scopes", "fits"),
    [
        ("mine", ["read", "write:diary"], True),
        ("mine", ["admin"], False),
        ("mine", ["read", "admin"], False),
        (ADMIN, ["admin"], True),
        (ADMIN, ["read"], False),
        (ADMIN, ["admin", "read"], False),
    ],
)
def test_scopes_belong_to_tenants(gpt_id: str, scopes: list[str], *, fits: bool) -> None:
    """`admin` is the tenant admin's, and its keys have nothing else."""
    found = tenant(key(gpt_id=gpt_id), gpt_id=gpt_id)
    for change in (create_key(*scopes), rotate_key(*scopes)):
        if fits:
            assert decide(change, found).status == 201
        else:
            assert refusal(change, found) == (422, "invalid_scope")


@pytest.mark.parametrize(
    ("others", "last"),
    [
        ([], True),
        ([key(NEW, ADMIN, expires_at=BEFORE)], True),
        ([key(NEW, ADMIN, revoked_at=BEFORE)], True),
        ([key(NEW, ADMIN, expires_at=LATER)], False),
    ],
    ids=["alone", "expired", "revoked", "beside another"],
)
def test_the_last_key_that_administers_stays(others: list[KnownKey], *, last: bool) -> None:
    """Ended ones beside it do not count; a tenant's own last key may go."""
    found = tenant(key(gpt_id=ADMIN), *others, gpt_id=ADMIN)
    if last:
        assert refusal(REVOKE, found) == (409, "last_admin_key")
    else:
        assert decide(REVOKE, found).status == 200
    assert decide(REVOKE, tenant(key())).status == 200


def test_a_key_that_ended_can_be_revoked_though_it_administered() -> None:
    """It was no longer one that administers, so that the last one stays."""
    ended = key(gpt_id=ADMIN, expires_at=BEFORE)
    assert decide(REVOKE, tenant(ended, key(NEW, ADMIN), gpt_id=ADMIN)).status == 200


@pytest.mark.parametrize("op", ["delete-gpt", "disable-gpt"])
def test_the_tenant_admin_is_protected(op: str) -> None:
    """Without it nobody could administer."""
    assert refusal({"op": op}, tenant(gpt_id=ADMIN)) == (409, "admin_protected")
    assert decide({"op": "enable-gpt"}, tenant(gpt_id=ADMIN)).status == 200

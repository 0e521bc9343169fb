"""Every operation with every kind of key; whatever route is added is asked here by itself."""

import re
import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi.routing import APIRoute
from sqlalchemy import update

from gateway.app import ROUTERS, openapi_document
from gateway.deps import SecuredRoute
from gateway.settings import GatewaySettings
from schemas.ids import DOCUMENT, OBJECT, REQUEST
from schemas.keys import mint
from schemas.tables import GPTS
from schemas.tenants import ADMIN
from tests.integration.gateway.conftest import Bearer, Rows, Serve

OPERATIONS = [
    pytest.param(method.upper(), path, id=f"{method.upper()} {path}")
    for path, methods in openapi_document()["paths"].items()
    if path.startswith("/v1/")
    for method in methods
    if method in {"get", "head", "post", "put", "patch", "delete"}
]
OPEN = {"/health", "/live", "/metrics", "/ready"}
"""Paths of the OpenAPI document that need no key."""

Key = dict[str, str]


def _is_admins(path: str) -> bool:
    return path.startswith("/v1/admin")


def _reads(method: str, path: str) -> bool:
    return method in {"GET", "HEAD"} or path == "/v1/search"


def _is_of_webhooks(path: str) -> bool:
    return path.startswith("/v1/webhooks")


def _outside_scopes(path: str) -> bool:
    """Returns: whether all keys of GPTs may call it: what was asked for may be asked about."""
    return path.startswith("/v1/requests/")


@pytest.fixture(scope="module")
async def client(
    serve: Serve, gateway_settings: GatewaySettings
) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a key, whose address may be refused as often as it likes."""
    unlimited = gateway_settings.model_copy(update={"rate_limits": "none"})
    async with (
        serve(unlimited) as url,
        httpx2.AsyncClient(base_url=url, timeout=60, trust_env=False) as made,
    ):
        yield made


@pytest.fixture(scope="module")
def wrong(rows: Rows) -> dict[str, Key]:
    """Keys that open nothing, and what is none, by what is wrong with each."""
    now = datetime.now(UTC)
    good = rows.key(rows.gpt_id)
    text = str(good)
    keys: dict[str, Any] = {
        "no key": "secret",
        "old form": secrets.token_hex(24),
        "mistyped": text[:-9] + ("A" if text[-9] != "A" else "B") + text[-8:],
        "cut off": text[:-1],
        "unknown": mint("test"),
        "wrong secret": replace(good, secret=mint("test").secret),
        "expired": rows.key(rows.gpt_id, expires_at=now - timedelta(seconds=1)),
        "revoked": rows.key(rows.gpt_id, revoked_at=now),
        "of a deleted GPT": rows.key("was-deleted"),
    }
    gone = update(GPTS).where(GPTS.c.gpt_id == "was-deleted").values(deleted_at=now)
    with rows.engine.begin() as connection:
        connection.execute(gone)
    headers = {name: {"Authorization": f"Bearer {key}"} for name, key in keys.items()}
    return {
        "missing": {},
        "basic": {"Authorization": f"Basic {good}"},
        "bare": {"Authorization": text},
        "empty": {"Authorization": "Bearer"},
        **headers,
    }


@pytest.fixture(scope="module")
def scoped(rows: Rows, bearer: Bearer) -> dict[str, Key]:
    """Valid keys, by their one scope and by what else they are."""
    scopes = ("read", "write", "read:diary", "write:diary", "read:other", "write:other", "admin")
    disabled = bearer(gpt_id="is-disabled", scopes=["read", "write", "admin"])
    off = update(GPTS).where(GPTS.c.gpt_id == "is-disabled")
    with rows.engine.begin() as connection:
        connection.execute(off.values(disabled_at=datetime.now(UTC)))
    return {
        **{scope: bearer(scopes=[scope]) for scope in scopes},
        "read and write": bearer(scopes=["read", "write"]),
        "administrator": bearer(gpt_id=ADMIN, scopes=["admin"]),
        "other tenant": bearer(gpt_id="someone-else"),
        "disabled": disabled,
    }


async def _ask(
    client: httpx2.AsyncClient, rows: Rows, method: str, path: str, key: Key, **places: str
) -> httpx2.Response:
    """Returns: the answer to a call without a body, of ids that this tenant was handed out."""
    known = {
        "gpt_id": rows.gpt_id,
        "document_id": rows.ids.mint(DOCUMENT, rows.gpt_id),
        "request_id": rows.ids.mint(REQUEST, rows.gpt_id),
        "object_id": rows.ids.mint(OBJECT, rows.gpt_id),
        "name": "diary",
        "version": "1",
        **places,
    }
    filled = re.sub(r"\{(\w+)[^}]*\}", lambda found: known.get(found[1], "x"), path)
    # Nothing is written by these: a body that no operation takes.
    json = None if method in {"GET", "HEAD", "DELETE"} else {"no such field": 1}
    return await client.request(
        method, filled, headers=key, json=json, params={"wait_s": "0"} if json is None else {}
    )


def _refused(answer: httpx2.Response, status: int, code: str) -> bool:
    kind = answer.headers["content-type"]
    problem = answer.json()
    return (answer.status_code, problem["code"], kind) == (
        status,
        code,
        "application/problem+json",
    )


def test_every_route_is_secured() -> None:
    """All that is under /v1 asks for a key; a route that is not may only be one of these."""
    routes = [route for router in ROUTERS for route in router.routes]
    shown = {
        route.path
        for route in routes
        if isinstance(route, APIRoute)
        and not isinstance(route, SecuredRoute)
        and route.include_in_schema
    }
    assert shown == OPEN
    hidden = {one.path for one in routes if isinstance(one, APIRoute) and not one.include_in_schema}
    assert not {path for path in hidden if path.startswith("/v1")}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_only_valid_keys_open(
    client: httpx2.AsyncClient, rows: Rows, wrong: dict[str, Key], method: str, path: str
) -> None:
    """Missing, malformed, unknown, wrong, expired and revoked ones are all 401 and say so."""
    for name, key in wrong.items():
        answer = await _ask(client, rows, method, path, key)
        assert _refused(answer, 401, "unauthorised"), (name, answer.text)
        assert answer.headers["www-authenticate"].startswith("Bearer"), name


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_unknown_and_wrong_keys_are_answered_alike(
    client: httpx2.AsyncClient, rows: Rows, wrong: dict[str, Key], method: str, path: str
) -> None:
    """Nobody learns from an answer which key ids there are."""
    unknown = await _ask(client, rows, method, path, wrong["unknown"])
    other = await _ask(client, rows, method, path, wrong["wrong secret"])
    assert unknown.json()["detail"] == other.json()["detail"]
    assert {*unknown.headers} == {*other.headers}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_scopes_are_kept_to(
    client: httpx2.AsyncClient, rows: Rows, scoped: dict[str, Key], method: str, path: str
) -> None:
    """A key opens what its scopes name: reading, writing, one collection, or administration."""
    reads, admins = _reads(method, path), _is_admins(path)
    collection = path.startswith("/v1/gpts/{gpt_id}/collections/{name}")
    later = path.startswith("/v1/objects/") or path == "/v1/search"
    for scope, opens in (
        ("read", reads and not admins),
        # Deliveries carry what happens: whoever has them made must be allowed to read it.
        ("write", not reads and not admins and not _is_of_webhooks(path)),
        ("read and write", not admins),
        ("read:diary", reads and (collection or later)),
        ("write:diary", not reads and (collection or later)),
        ("read:other", reads and later),
        ("write:other", not reads and later),
        ("admin", False),
    ):
        answer = await _ask(client, rows, method, path, scoped[scope])
        assert answer.status_code not in {401, 500}, (scope, answer.text)
        if opens or (_outside_scopes(path) and scope != "admin"):
            early = answer.status_code == 403 and "scopes do not cover" in answer.text
            assert not early, (scope, answer.text)
        else:
            assert _refused(answer, 403, "forbidden"), (scope, answer.text)


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_administration_is_for_the_tenant_admin(
    client: httpx2.AsyncClient, rows: Rows, scoped: dict[str, Key], method: str, path: str
) -> None:
    """Its key opens /v1/admin and nothing else."""
    answer = await _ask(client, rows, method, path, scoped["administrator"])
    if _is_admins(path):
        assert answer.status_code not in {401, 403, 500}, answer.text
    elif path.startswith("/v1/gpts/"):
        assert _refused(answer, 404, "not_found"), answer.text
    else:
        assert _refused(answer, 403, "forbidden"), answer.text


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_nothing_of_another_tenant_is_there(
    client: httpx2.AsyncClient, rows: Rows, scoped: dict[str, Key], method: str, path: str
) -> None:
    """A valid key of another tenant finds none of these ids, and no such path."""
    answer = await _ask(client, rows, method, path, scoped["other tenant"])
    named = {"gpt_id", "document_id", "request_id", "object_id"} & set(re.findall(r"\w+", path))
    if _is_admins(path):
        assert _refused(answer, 403, "forbidden"), answer.text
    elif "{gpt_id}" in path or (named and method in {"GET", "HEAD", "DELETE"}):
        assert _refused(answer, 404, "not_found"), answer.text
    else:
        assert answer.status_code not in {401, 403, 500}, answer.text


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
async def test_a_disabled_gpt_takes_no_calls(
    client: httpx2.AsyncClient, rows: Rows, scoped: dict[str, Key], method: str, path: str
) -> None:
    """Its keys are valid, and told what is the matter."""
    answer = await _ask(client, rows, method, path, scoped["disabled"])
    assert _refused(answer, 403, "gpt_disabled"), answer.text


async def test_an_end_users_key_does_not_change_what_is_everyones(
    client: httpx2.AsyncClient, bearer: Bearer
) -> None:
    """Document types are the GPT's, as its collections are."""
    answer = await client.put(
        "/v1/document-types/receipt", json={"fields": []}, headers=bearer(subject="ann")
    )
    assert _refused(answer, 403, "forbidden"), answer.text

"""Schemathesis finds nothing: calls made up from the OpenAPI document, valid and not, in chains."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.e2e.conftest import ClientSettings

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "openapi.json"
CONFIG = Path(__file__).with_name("schemathesis.toml")
UNLIMITED = {"name": "calls", "rate_limits": "none"}
PHASES = "examples,coverage,fuzzing,stateful"


@pytest.fixture(scope="module")
def admin(settings: ClientSettings) -> Iterator[httpx2.Client]:
    """A client that administers."""
    with httpx2.Client(
        base_url=settings.gateway_url,
        headers={"Authorization": f"Bearer {settings.admin_key.get_secret_value()}"},
        timeout=60,
        trust_env=False,
    ) as client:
        yield client


@pytest.fixture
def tenant(admin: httpx2.Client) -> dict[str, str]:
    """A tenant of its own, since made-up calls delete what they find; and what it has at first."""
    gpt_id = f"generated-{uuid.uuid4().hex[:12]}"
    made(admin.post("/v1/admin/gpts", json={"gpt_id": gpt_id}))
    key = made(admin.post(f"/v1/admin/gpts/{gpt_id}/keys", json=UNLIMITED))
    headers = {"Authorization": f"Bearer {key['key']}"}
    with httpx2.Client(base_url=admin.base_url, headers=headers, timeout=60) as client:
        at = f"/v1/gpts/{gpt_id}/collections"
        indexes = {"equality": True, "ordered": ["/mood"], "text": {"fields": ["/title"]}}
        made(client.post(at, json={"name": "diary", "indexes": indexes}))
        found = made(client.post(f"{at}/diary/objects", json={"body": {"mood": "good"}}))
        file = {"file": ("note.txt", b"A few words of a note.")}
        document = made(client.post("/v1/documents", files=file))
    return {
        "GENERATED_GPT": gpt_id,
        "GENERATED_KEY": key["key"],
        "GENERATED_KEY_ID": key["key_id"],
        "GENERATED_COLLECTION": "diary",
        "GENERATED_OBJECT": found["id"],
        "GENERATED_DOCUMENT": document["document_id"],
    }


def made(response: httpx2.Response) -> dict[str, str]:
    """Returns: what a call has made."""
    assert response.is_success, response.text
    answer: dict[str, str] = response.json()
    return answer


def found_by(url: str, given: dict[str, str], folder: Path, *options: str) -> str:
    """Returns: what Schemathesis reports, or nothing where all its checks pass."""
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    choice = [str(DOCUMENT), "--url", url, "--checks", "all", "--phases", PHASES, *options]
    environment = dict(os.environ)  # noqa: TID251 - a program gets what its caller has
    ended = subprocess.run(
        [*program, *choice],
        cwd=folder,
        # The hooks are found from the project's root; the product is reached by no proxy.
        env={**environment, **given, "PYTHONPATH": str(ROOT), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def test_made_up_calls_of_a_tenant_find_nothing(
    settings: ClientSettings, tenant: dict[str, str], tmp_path: Path
) -> None:
    """All checks hold for all calls of a tenant, one by one and in chains that links lead along."""
    found = found_by(settings.gateway_url, tenant, tmp_path, "--exclude-path-regex", "^/v1/admin/")

    assert not found, found


def test_made_up_calls_of_an_administrator_find_nothing(
    settings: ClientSettings, admin: httpx2.Client, tenant: dict[str, str], tmp_path: Path
) -> None:
    """All checks hold for the calls that make GPTs and keys."""
    wanted = {**UNLIMITED, "scopes": ["admin"]}
    key = made(admin.post("/v1/admin/gpts/admin/keys", json=wanted))
    given = {**tenant, "GENERATED_KEY": key["key"]}
    found = found_by(settings.gateway_url, given, tmp_path, "--include-path-regex", "^/v1/admin/")

    assert not found, found

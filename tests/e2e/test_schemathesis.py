"""Schemathesis finds nothing: calls made up from the OpenAPI document, valid and not, in chains."""

import os
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from hypothesis import settings as profile

from tests.e2e.conftest import UNLIMITED, ClientSettings, NewTenant, made

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "openapi.json"
CONFIG = Path(__file__).with_name("schemathesis.toml")
PHASES = "examples,coverage,fuzzing,stateful"
EXAMPLES = profile().max_examples // 12
"""Made-up calls of each operation: each has every check, so they are fewer than elsewhere."""


@pytest.fixture
def given(admin: httpx2.Client, new_tenant: NewTenant) -> dict[str, str]:
    """A tenant of its own, since made-up calls delete what they find; and what it has at first."""
    tenant = new_tenant()
    headers = {"Authorization": f"Bearer {tenant.key}"}
    with httpx2.Client(base_url=admin.base_url, headers=headers, timeout=60) as client:
        indexes = {"equality": True, "ordered": ["/mood"], "text": {"fields": ["/title"]}}
        made(client.post(tenant.collections, json={"name": "diary", "indexes": indexes}))
        objects = f"{tenant.collections}/diary/objects"
        found = made(client.post(objects, json={"key": "monday", "body": {"mood": "good"}}))
        file = {"file": ("note.txt", b"A few words of a note.")}
        document = made(client.post("/v1/documents", files=file))
        batch = made(client.post("/v1/batches", json={"name": "first"}))
    return {
        "GENERATED_GPT": tenant.gpt_id,
        "GENERATED_KEY": tenant.key,
        "GENERATED_KEY_ID": tenant.key.split("_")[2],
        "GENERATED_COLLECTION": "diary",
        "GENERATED_OBJECT": found["id"],
        "GENERATED_DOCUMENT": document["document_id"],
        "GENERATED_BATCH": batch["batch_id"],
    }


def found_by(url: str, given: dict[str, str], folder: Path, *options: str) -> str:
    """Returns: what Schemathesis reports, or nothing where all its checks pass."""
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    choice = [str(DOCUMENT), "--url", url, "--checks", "all", "--phases", PHASES, *options]
    depth = ["--max-examples", str(EXAMPLES)]
    if profile().derandomize:
        depth.append("--generation-deterministic")
    environment = dict(os.environ)  # noqa: TID251 - a program gets what its caller has
    ended = subprocess.run(
        [*program, *choice, *depth],
        cwd=folder,
        # The hooks are found from the project's root; the product is reached by no proxy.
        env={**environment, **given, "PYTHONPATH": str(ROOT), "NO_PROXY": "*"},
        capture_output=True,
        text=True,
        check=False,
    )
    return "" if ended.returncode == 0 else ended.stdout + ended.stderr


def test_made_up_calls_of_a_tenant_find_nothing(
    settings: ClientSettings, given: dict[str, str], tmp_path: Path
) -> None:
    """All checks hold for all calls of a tenant, one by one and in chains that links lead along."""
    found = found_by(settings.gateway_url, given, tmp_path, "--exclude-path-regex", "^/v1/admin/")

    assert not found, found


def test_made_up_calls_of_an_administrator_find_nothing(
    settings: ClientSettings, admin: httpx2.Client, given: dict[str, str], tmp_path: Path
) -> None:
    """All checks hold for the calls that make GPTs and keys."""
    wanted = {**UNLIMITED, "scopes": ["admin"]}
    key = made(admin.post("/v1/admin/gpts/admin/keys", json=wanted))
    given["GENERATED_KEY"] = key["key"]

    found = found_by(settings.gateway_url, given, tmp_path, "--include-path-regex", "^/v1/admin/")

    assert not found, found

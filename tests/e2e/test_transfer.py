"""A tenant is exported, and imported into another one: all of it, exactly, and once."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import SAMPLES, ClientSettings, Until

COMMAND = Path(sys.executable).with_name("actionstream")
MANY = 1200
EXACT = {
    "big": 10**30,
    "huge": -(10**400),
    "tenth": 0.1,
    "tiny": 5e-324,
    "emoji": "\U0001f600 e\u0301 \u2028 \u0085",
    "": {"a/b~c": [True, None, [], {}]},
}


@dataclass
class Tenant:
    """A GPT of this test's own, called with its key."""

    gpt_id: str
    key: str
    api: httpx2.Client

    @property
    def collections(self) -> str:
        """The path of its collections."""
        return f"/v1/gpts/{self.gpt_id}/collections"

    def environment(self) -> dict[str, str]:
        """The environment in which commands are this tenant's."""
        mine = {"ACTIONSTREAM_API_KEY": self.key, "ACTIONSTREAM_GPT_ID": self.gpt_id}
        return {**os.environ, **mine}  # noqa: TID251 - commands get what the test was given

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """A command of this tenant, to its end."""
        return subprocess.run(
            [COMMAND, *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def objects(self, name: str) -> list[dict[str, Any]]:
        """All objects of a collection, in order."""
        return list(pages(self.api, f"{self.collections}/{name}/objects", 200))

    def documents(self) -> list[dict[str, Any]]:
        """All documents, the oldest first."""
        return list(pages(self.api, "/v1/documents", 50))[::-1]

    def content(self, document_id: str) -> str:
        """The hash of a document's bytes."""
        answer = self.api.get(f"/v1/documents/{document_id}/content")
        return hashlib.sha256(answer.content).hexdigest()


def pages(api: httpx2.Client, path: str, limit: int) -> Iterator[dict[str, Any]]:
    """All items of a list."""
    query: dict[str, Any] = {"limit": limit}
    while True:
        page = api.get(path, params=query).json()
        yield from page["items"]
        if not page["has_more"]:
            return
        query["cursor"] = page["next_cursor"]


def actionstream(*arguments: str) -> str:
    """What a command that administers prints; it succeeds."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


Tenants = Callable[[], Tenant]


@pytest.fixture
def tenant(settings: ClientSettings) -> Iterator[Tenants]:
    """Makes tenants, which are deleted in the end."""
    with ExitStack() as stack:

        def make() -> Tenant:
            gpt_id = f"e2e-{uuid.uuid4().hex[:12]}"
            actionstream("gpts", "create", gpt_id)
            stack.callback(actionstream, "gpts", "delete", gpt_id, "--yes")
            limits = ("--rate-limits", "key:60000/m,write:60000/m")
            key = actionstream("keys", "create", gpt_id, "--name", "all", *limits).strip()
            client = settings.client(key)
            return Tenant(gpt_id, key, stack.enter_context(client))

        yield make


def diary(source: Tenant) -> None:
    """A collection with a schema, indexes, ends and keys, and objects of every kind."""
    made = source.api.post(
        source.collections,
        json={
            "name": "diary",
            "description": "Days 📔",
            "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "indexes": {"ordered": ["/n"], "equality": True},
            "keep_versions": 2,
            "default_ttl_s": 86_400,
            "max_objects": 5000,
        },
    )
    assert made.status_code == 201, made.text
    path = f"{source.collections}/diary/batch"
    operations = [
        {"op": "create", "body": EXACT, "ttl_s": 3600},
        {"op": "put", "key": "2026-11-01 ☂ ä", "body": {"n": 1}},
        {"op": "create", "body": {"n": 2}},
    ]
    hers = [{"op": "put", "key": "2026-11-01 ☂ ä", "body": {"n": 3}}]
    for query, given in (({}, operations), ({"subject": "ann"}, hers)):
        answer = source.api.post(path, params=query, json={"operations": given})
        assert answer.json()["failed"] == 0


def many(source: Tenant, count: int) -> None:
    """A collection of objects without keys, each with its number."""
    source.api.post(source.collections, json={"name": "many"})
    for first in range(0, count, 300):
        operations = [{"op": "create", "body": {"n": n}} for n in range(first, first + 300)]
        answer = source.api.post(
            f"{source.collections}/many/batch", json={"operations": operations}
        )
        assert answer.json()["failed"] == 0


def recipe(source: Tenant) -> None:
    """A document type of the tenant's own."""
    definition = {
        "title": "Recipe",
        "description": "How to cook one dish: ingredients and steps.",
        "fields": {
            "type": "object",
            "properties": {"dish": {"type": "string", "x-kind": "text", "description": "Dish."}},
        },
    }
    answer = source.api.put("/v1/document-types/recipe", json=definition)
    assert answer.status_code == 200, answer.text


def documents(source: Tenant, until: Until) -> None:
    """Two documents that have been through the pipeline, one of them corrected."""
    invoice = "invoice-harbour-foods.pdf"
    sent = [
        source.api.post(
            "/v1/documents",
            files={"file": ("Rechnung ä 📄.pdf", (SAMPLES / invoice).read_bytes())},
            data={"title": "Bowls", "metadata": json.dumps({"n": 10**15, "who": "ä"})},
        ),
        source.api.post(
            "/v1/documents",
            params={"subject": "ann"},
            files={"file": ("soup.txt", b"Leek soup. Cut the leek, boil it, salt it.")},
            data={"type": "recipe"},
        ),
    ]
    ids = [answer.json()["document_id"] for answer in sent]
    until(lambda: len(source.documents()) == len(ids) or None)
    until(lambda: all(one["status"] == "completed" for one in source.documents()) or None)
    answer = source.api.patch(f"/v1/documents/{ids[0]}", json={"fields": {"invoice_number": "Z-9"}})
    assert answer.status_code == 200, answer.text


def of_object(one: dict[str, Any]) -> tuple[Any, ...]:
    """What of an object must be equal elsewhere."""
    return one["key"], one["subject"], one["body"], one["expires_at"] is not None


def of_document(one: dict[str, Any]) -> tuple[Any, ...]:
    """What of a document must be equal elsewhere."""
    names = ("subject", "title", "filename", "metadata", "type", "status")
    return tuple(one[name] for name in names)


def test_everything_arrives_exactly_and_once(tenant: Tenants, until: Until, tmp_path: Path) -> None:
    """Bodies, ends, owners, settings, types, files and corrections; a repeat changes nothing."""
    source, target = tenant(), tenant()
    diary(source)
    recipe(source)
    documents(source, until)
    folder = tmp_path / "export"
    exported = source.run("export", folder)
    assert exported.returncode == 0, exported.stderr
    assert source.run("export", folder).returncode == 1
    assert target.run("import", folder, "--dry-run").returncode == 0
    for _ in range(2):
        imported = target.run("import", folder)
        assert imported.returncode == 0, imported.stdout + imported.stderr
    # Without its notes, too: the gateway knows the calls by their idempotency keys.
    shutil.rmtree(folder / "imports")
    assert target.run("import", folder).returncode == 0

    settings = [each.api.get(f"{each.collections}/diary").json() for each in (source, target)]
    names = "description schema indexes search keep_versions default_ttl_s max_objects max_bytes"
    for name in [*names.split(), "object_count", "byte_count"]:
        assert settings[0][name] == settings[1][name]
    were, are = source.objects("diary"), target.objects("diary")
    assert [of_object(one) for one in are] == [of_object(one) for one in were]
    assert are[0]["body"] == EXACT
    ends = [datetime.fromisoformat(one[0]["expires_at"]).timestamp() for one in (were, are)]
    assert abs(ends[1] - ends[0]) < 300
    kinds = [each.api.get("/v1/document-types/recipe").json() for each in (source, target)]
    assert kinds[0]["definition"]["fields"] == kinds[1]["definition"]["fields"]
    # Four are uploaded at once, so that those of about the same time may change places.
    papers, copies = (
        sorted(each.documents(), key=lambda one: one["filename"]) for each in (source, target)
    )
    assert [of_document(one) for one in copies] == [of_document(one) for one in papers]
    for one, copy in zip(papers, copies, strict=True):
        assert target.content(copy["document_id"]) == source.content(one["document_id"])
    assert {one["fields"].get("invoice_number") for one in copies} >= {"Z-9"}


def test_what_is_killed_goes_on(tenant: Tenants, until: Until, tmp_path: Path) -> None:
    """Killed in the middle and repeated, neither export nor import doubles or loses an object."""
    source, target = tenant(), tenant()
    many(source, MANY)
    folder = tmp_path / "export"
    progress = tmp_path / "export.unfinished" / "progress.json"
    kill_once(source, "export", folder, until, lambda: progress.exists() or folder.exists())
    if not folder.exists():
        exported = source.run("export", folder)
        assert exported.returncode == 0, exported.stderr
    assert len((folder / "objects" / "many.jsonl").read_bytes().splitlines()) == MANY
    notes = folder / "imports"
    for batches in (1, 2, 3):
        kill_once(target, "import", folder, until, lambda n=batches: noted(notes) >= n)
    imported = target.run("import", folder)
    assert imported.returncode == 0, imported.stderr
    assert [one["body"]["n"] for one in target.objects("many")] == list(range(MANY))


def noted(notes: Path) -> int:
    """How many batches an import has noted that it sends."""
    return sum(path.read_bytes().count(b'"sent"') for path in notes.glob("*.jsonl"))


def kill_once(
    tenant: Tenant, verb: str, folder: Path, until: Until, begun: Callable[[], bool]
) -> None:
    """Starts a command and kills it once it has begun."""
    with subprocess.Popen(
        [COMMAND, verb, folder], env=tenant.environment(), stdout=subprocess.DEVNULL
    ) as process:
        until(lambda: begun() or process.poll() is not None or None)
        process.send_signal(signal.SIGKILL)


def test_what_does_not_fit_is_said_by_its_line(tenant: Tenants, tmp_path: Path) -> None:
    """Objects of before a schema are refused one by one; the others come in."""
    source, target = tenant(), tenant()
    many(source, 300)
    schema = {"type": "object", "properties": {"n": {"maximum": 297}}}
    answer = source.api.patch(f"{source.collections}/many", json={"schema": schema})
    assert answer.status_code == 200, answer.text
    folder = tmp_path / "export"
    assert source.run("export", folder).returncode == 0
    imported = target.run("import", folder, "--only", "collections", "--json")
    report = json.loads(imported.stdout)
    assert (imported.returncode, report["objects"], report["failed"]) == (1, 298, 2)
    assert "objects/many.jsonl, line 299: " in report["failures"][0]
    assert "schema_mismatch" in imported.stderr
    assert len(target.objects("many")) == 298

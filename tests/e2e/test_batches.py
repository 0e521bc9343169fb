"""Batches against the whole product: folders, archives, links, cancelling, retrying, a kill."""

import base64
import csv
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from tests.e2e.conftest import SAMPLES, ClientSettings, NewTenant, Tenant, Until, made

COMMAND = Path(sys.executable).with_name("actionstream")
TEXTS = frozenset({".txt", ".md", ".csv", ".html", ".eml", ".docx"})
ENDED = frozenset({"completed", "cancelled"})


@pytest.fixture(scope="module")
def tenant(new_tenant: NewTenant) -> Tenant:
    """A tenant that has nothing but what these tests send."""
    return new_tenant()


@pytest.fixture(scope="module")
def mine(settings: ClientSettings, tenant: Tenant) -> Iterator[httpx2.Client]:
    """A client of that tenant."""
    with settings.client(tenant.key) as client:
        yield client


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The sample documents that are read without OCR, in two folders."""
    target = tmp_path / "papers"
    for path in sorted(SAMPLES.iterdir()):
        if path.suffix in TEXTS and path.with_suffix(".json").is_file():
            place = target / ("mail" if path.suffix == ".eml" else "") / path.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, place)
    return target


def with_key(key: str) -> dict[str, str]:
    """Returns: the environment of a command that calls with this key."""
    known = os.environ  # noqa: TID251 - the command gets what the test was given, but the key
    return {**known, "ACTIONSTREAM_API_KEY": key}


def actionstream(tenant: Tenant, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end, with the tenant's key."""
    return subprocess.run(
        [COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=with_key(tenant.key),
    )


def letters(count: int) -> list[dict[str, str]]:
    """Returns: so many documents, each of a text that no other has."""
    texts = [f"Dear Ms Alder,\n\nthis is {uuid.uuid4().hex}.\n\nYours" for _ in range(count)]
    return [
        {"content_base64": base64.b64encode(text.encode()).decode(), "filename": f"{number}.txt"}
        for number, text in enumerate(texts)
    ]


def ended(mine: httpx2.Client, batch_id: str, until: Until) -> dict[str, Any]:
    """Returns: a batch once it has ended, and all of its documents have."""

    def asked() -> dict[str, Any] | None:
        batch: dict[str, Any] = made(mine.get(f"/v1/batches/{batch_id}"))
        left = batch["counts"]["queued"] + batch["counts"]["processing"] + batch["listing"]
        return batch if batch["state"] in ENDED and not left else None

    batch: dict[str, Any] = until(asked)
    return batch


def told(mine: httpx2.Client, kind: str, batch_id: str) -> int:
    """Returns: how often an event of this kind was told of the batch."""
    page = made(mine.get("/v1/events", params={"type": kind, "batch": batch_id}))
    return len(page["items"])


def test_a_folder_is_added_followed_and_not_sent_twice(
    tenant: Tenant, mine: httpx2.Client, folder: Path, tmp_path: Path
) -> None:
    """All of it is worked off in one batch; the same command finds that all is in."""
    count = sum(path.is_file() for path in folder.rglob("*"))
    done = actionstream(tenant, "documents", "add", str(folder), "--metadata", "y=2026", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout)
    batch = said["batch"]
    assert (said["uploaded"], batch["name"], batch["state"]) == (count, "papers", "completed")
    assert batch["counts"]["completed"] == batch["documents"] == count
    assert sum(batch["by_type"].values()) == count

    again = json.loads(actionstream(tenant, "documents", "add", str(folder), "--json").stdout)
    assert (again["uploaded"], again["skipped"], again["batch"]) == (0, count, None)

    table = tmp_path / "results.csv"
    written = actionstream(
        tenant, "batches", "results", batch["batch_id"], "--format", "csv", "-o", str(table)
    )
    assert written.returncode == 0, written.stderr
    rows = list(csv.DictReader(io.StringIO(table.read_text(), newline="")))
    assert len(rows) == count
    assert {json.loads(row["metadata"])["y"] for row in rows} == {2026}
    assert "mail/complaint.eml" in {row["path"] for row in rows}
    shown = actionstream(tenant, "batches", "show", batch["batch_id"])
    assert f"{count} documents: {count} completed" in shown.stdout
    where = {"where": json.dumps({"batch_id": batch["batch_id"]}), "limit": "1"}
    [found] = made(mine.get("/v1/documents", params=where))["items"]
    assert found["batch_id"] == batch["batch_id"]


def test_an_interrupted_upload_is_gone_on_with(
    tenant: Tenant, mine: httpx2.Client, admin: httpx2.Client, tmp_path: Path
) -> None:
    """Ctrl-C while it waits for the rate limit; the same command sends the rest, nothing twice."""
    folder = tmp_path / "large"
    folder.mkdir()
    for number in range(4):
        (folder / f"{number}.bin").write_bytes(os.urandom(9 * 1024**2))
    limited = {"name": "slow", "rate_limits": "key:none,write:3/10m"}
    slow = made(admin.post(f"/v1/admin/gpts/{tenant.gpt_id}/keys", json=limited))["key"]
    command = [COMMAND, "documents", "add", str(folder)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=with_key(slow)
    ) as process:
        assert process.stderr is not None
        assert "limits calls" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert (process.returncode, "the same command goes on" in told) == (130, True), told
    [batch] = made(mine.get("/v1/batches", params={"state": "open"}))["items"]
    assert (batch["name"], batch["documents"]) == ("large", 2)

    said = json.loads(actionstream(tenant, "documents", "add", str(folder), "--json").stdout)
    assert (said["known"], said["uploaded"]) == (2, 2)
    assert said["batch"]["batch_id"] == batch["batch_id"]
    assert said["batch"]["counts"]["failed"] == said["batch"]["documents"] == 4
    assert [one["code"] for one in said["batch"]["failures"]] == ["unsupported_type"]


def test_a_bad_file_fails_the_command_and_not_the_others(tenant: Tenant, tmp_path: Path) -> None:
    """The reason is told with an example, and the exit code is 1."""
    folder = tmp_path / "mixed"
    folder.mkdir()
    (folder / "good.txt").write_text(f"Dear Ms Alder, {uuid.uuid4().hex}")
    (folder / "empty.txt").write_bytes(b"")
    done = actionstream(tenant, "documents", "add", str(folder))
    assert done.returncode == 1
    assert "1 failed: " in done.stdout
    assert "(empty_file), such as empty.txt" in done.stdout


def test_an_archive_becomes_its_files(mine: httpx2.Client, until: Until) -> None:
    """With what the manifest says of each; what it says of none is a failure with its name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a/one.txt", f"Dear Ms Alder, {uuid.uuid4().hex}")
        archive.writestr("two.txt", f"Dear Mr Oak, {uuid.uuid4().hex}")
        archive.writestr("../outside.txt", "no")
    lines = [{"path": "a/one.txt", "title": "One"}, {"path": "three.txt"}]
    files = [
        ("manifest", (None, json.dumps(lines))),
        ("archive", ("all.zip", content.getvalue())),
    ]
    answer = made(mine.post("/v1/batches", files=files))
    batch = ended(mine, answer["batch_id"], until)
    assert batch["counts"] == {
        "queued": 0,
        "processing": 0,
        "completed": 2,
        "failed": 2,
        "cancelled": 0,
    }
    assert "manifest_without_file" in {one["code"] for one in batch["failures"]}
    response = mine.get(f"/v1/batches/{answer['batch_id']}/results")
    results = {one["path"]: one for one in map(json.loads, response.text.splitlines())}
    assert results["a/one.txt"]["title"] == "One"
    assert told(mine, "batch.completed", answer["batch_id"]) == 1


def test_links_that_lead_within_fail_and_may_be_tried_again(
    mine: httpx2.Client, until: Until
) -> None:
    """A retry sends the failed ones again, and the batch is completed a second time."""
    documents = [{"file_url": "https://127.0.0.1/a.pdf"}, *letters(1)]
    answer = made(mine.post("/v1/batches", json={"documents": documents}))
    batch_id = answer["batch_id"]
    batch = ended(mine, batch_id, until)
    assert (batch["counts"]["completed"], batch["counts"]["failed"]) == (1, 1)
    assert [one["code"] for one in batch["failures"]] == ["private_address"]
    letters_of = made(mine.get("/v1/dead-letters", params={"batch_id": batch_id}))["items"]
    assert [one["document_id"] for one in letters_of] == [answer["documents"][0]["document_id"]]

    made(mine.post(f"/v1/batches/{batch_id}/retry"))
    until(lambda: told(mine, "batch.completed", batch_id) == 2 or None)
    assert ended(mine, batch_id, until)["counts"] == batch["counts"]


def test_a_batch_is_filled_closed_and_takes_no_more(mine: httpx2.Client, until: Until) -> None:
    """A document whose key it has is not added again; after the closing nothing is."""
    batch_id = made(mine.post("/v1/batches", json={"name": "slowly"}))["batch_id"]
    path = f"/v1/batches/{batch_id}/documents"
    [document] = letters(1)
    body = {"documents": [{**document, "key": "k"}]}
    first, second = made(mine.post(path, json=body)), made(mine.post(path, json=body))
    assert (first["added"], second["added"], second["known"]) == (1, 0, 1)
    assert first["documents"] == second["documents"]
    assert made(mine.post(f"/v1/batches/{batch_id}/close"))["state"] in {"closed", "completed"}
    refused = mine.post(path, json={"documents": letters(1)})
    assert (refused.status_code, refused.json()["code"]) == (409, "batch_closed")
    assert ended(mine, batch_id, until)["documents"] == 1


def test_what_is_cancelled_stops_and_is_counted(mine: httpx2.Client, until: Until) -> None:
    """In the middle of the work: some are completed, the others cancelled, none is lost."""
    count = 60
    answer = made(mine.post("/v1/batches", json={"documents": letters(count)}))
    batch_id = answer["batch_id"]
    until(lambda: made(mine.get(f"/v1/batches/{batch_id}"))["counts"]["completed"] or None)
    assert made(mine.post(f"/v1/batches/{batch_id}/cancel"))["state"] == "cancelled"
    batch = ended(mine, batch_id, until)
    counts = batch["counts"]
    assert batch["state"] == "cancelled"
    assert counts["completed"] + counts["failed"] + counts["cancelled"] == count
    assert counts["cancelled"] > 0
    for one in made(mine.get(f"/v1/batches/{batch_id}/documents", params={"limit": "100"}))[
        "items"
    ]:
        document = made(mine.get(f"/v1/documents/{one['document_id']}"))
        assert document["status"] == one["state"]
    refused = mine.post(f"/v1/batches/{batch_id}/documents", json={"documents": letters(1)})
    assert refused.json()["code"] == "batch_cancelled"


def test_counts_are_exact_though_a_worker_is_killed(mine: httpx2.Client, until: Until) -> None:
    """SIGKILL in the middle: every document is completed and counted once, and it is told once."""
    count = 60
    answer = made(mine.post("/v1/batches", json={"documents": letters(count)}))
    batch_id = answer["batch_id"]
    until(lambda: made(mine.get(f"/v1/batches/{batch_id}"))["counts"]["completed"] or None)
    for worker in workers():
        worker.send_signal(signal.SIGKILL)
    seen = []

    def asked() -> dict[str, Any] | None:
        batch: dict[str, Any] = made(mine.get(f"/v1/batches/{batch_id}"))
        seen.append(sum(batch["counts"].values()))
        return batch if batch["state"] == "completed" else None

    batch = until(asked)
    assert set(seen) == {count}
    assert batch["counts"]["completed"] == count
    assert told(mine, "batch.completed", batch_id) == 1
    where = {"where": json.dumps({"batch_id": batch_id, "status": "completed"}), "limit": "100"}
    assert len(made(mine.get("/v1/documents", params=where))["items"]) == count


def workers() -> list[psutil.Process]:
    """Returns: the workers of the product under test, which its supervisor starts again."""
    above = psutil.Process().parents()
    found = [one for each in above for one in each.children() if "worker" in one.cmdline()]
    assert found, "run these tests with `python -m local test --product`"
    return found

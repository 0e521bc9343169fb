"""Dead letters through the whole product: found, sent again, dead once more, discarded."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2

from tests.e2e.conftest import SAMPLES, Until, Upload

COMMAND = Path(sys.executable).with_name("actionstream")
PDF = (SAMPLES / "invoice-harbour-foods.pdf").read_bytes()


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a command of dead letters to its end."""
    return subprocess.run(
        [COMMAND, "dead-letters", *arguments], capture_output=True, text=True, check=False
    )


def test_a_letter_is_found_redriven_and_discarded(
    api: httpx2.Client, upload: Upload, until: Until
) -> None:
    """What stays broken dies again as a new letter; one that is discarded stays readable."""
    document_id = upload("cut.pdf", PDF[: len(PDF) // 2])["document_id"]

    def letters(state: str) -> list[dict[str, Any]]:
        query = {"document_id": document_id, "state": state}
        found: list[dict[str, Any]] = api.get("/v1/dead-letters", params=query).json()["items"]
        return found

    [first] = letters("dead")
    assert (first["stage"], first["error"]) == ("parse", "corrupt")
    shown = command("show", first["dead_letter_id"])
    assert first["reason"] in " ".join(shown.stdout.split()), shown.stderr

    answer = api.post(f"/v1/dead-letters/{first['dead_letter_id']}/redrive", params={"wait_s": 30})
    assert answer.json()["result"] == {"redriven": 1, "skipped_count": 0, "skipped": []}

    [second] = until(lambda: letters("dead") or None)
    assert second["dead_letter_id"] != first["dead_letter_id"]
    assert [each["dead_letter_id"] for each in letters("redriven")] == [first["dead_letter_id"]]
    assert api.get(f"/v1/documents/{document_id}").json()["status"] == "failed"

    done = command("discard", second["dead_letter_id"], "--json")
    assert json.loads(done.stdout)["discarded"] == 1, done.stderr
    [gone] = letters("discarded")
    assert gone["decided_by"].startswith("key:")
    again = command("redrive", second["dead_letter_id"])
    assert (again.returncode, "discarded" in again.stdout) == (1, True)


def test_letters_of_an_error_are_redriven_by_a_command(
    api: httpx2.Client, upload: Upload, until: Until
) -> None:
    """All of an error and a time at once, each of them once."""
    documents = [upload(f"{n}.bin", b"\x7fELF" + bytes(range(256)) * 8) for n in range(3)]
    since = min(document["created_at"] for document in documents)
    conditions = ["--error", "unsupported_type", "--since", since]

    listed = json.loads(command("list", *conditions, "--json").stdout)["items"]
    mine = [
        each["dead_letter_id"]
        for each in listed
        if each["document_id"] in {document["document_id"] for document in documents}
    ]
    assert len(mine) == 3
    done = command("redrive", "--all", *conditions, "--yes", "--json")

    assert json.loads(done.stdout)["redriven"] >= 3, done.stderr
    states = [api.get(f"/v1/dead-letters/{each}").json() for each in mine]
    assert {(each["state"], each["decided_by"] is not None) for each in states} == {
        ("redriven", True)
    }
    for document in documents:
        query = {"document_id": document["document_id"]}
        until(lambda query=query: api.get("/v1/dead-letters", params=query).json()["items"] or None)

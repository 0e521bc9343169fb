"""The page on GPTs and keys, run as it is written; and two GPTs beside each other."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from schemas import keys
from tests.e2e.conftest import ClientSettings, Until

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "how-to" / "tenants-and-keys.md").read_text(encoding="utf-8")
RUN = PAGE.partition("## Make a GPT")[2]
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", RUN, re.MULTILINE | re.DOTALL)
COMMAND = Path(sys.executable).with_name("actionstream")


def shell(script: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in the project's folder, with the product's own commands first in its path."""
    environment = {
        **os.environ,  # noqa: TID251 - the shell gets what the local run's file would have given it
        "PATH": f"{COMMAND.parent}:{os.environ['PATH']}",  # noqa: TID251
    }
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def actionstream(*arguments: str) -> str:
    """Returns: what a command prints; it succeeds."""
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def gpt_id() -> str:
    """An id that no other GPT has, or ever had."""
    return f"e2e-{uuid.uuid4().hex[:12]}"


def test_the_page_runs_as_it_is_written(gpt_id: str) -> None:
    """Each of its commands succeeds, on GPTs of other names."""
    script = "".join(BLOCKS).replace("diary-gpt", gpt_id).replace("habits-gpt", f"{gpt_id}-2")
    ending = '\nprintf "%s\\n" "$KEY" "$NEW" >&2\n'
    done = shell(script + ending)
    assert done.returncode == 0, done.stdout + done.stderr
    old, new = (keys.parse(line) for line in done.stderr.splitlines()[-2:])
    listed = done.stdout
    assert "Ann's phone" in listed
    assert "read:diary" in listed
    assert old.secret not in listed
    assert new.secret not in listed


def test_the_first_key_is_made_once() -> None:
    """Where one that administers is there, another one needs --force."""
    done = shell("actionstream keys bootstrap")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "there is a key that administers already" in done.stderr
    forced = shell("actionstream keys bootstrap --force --name 'a test'")
    assert forced.returncode == 0, forced.stderr
    made = keys.parse(forced.stdout.strip())
    assert "a test" in actionstream("keys", "list", "admin")
    actionstream("keys", "revoke", "admin", made.key_id, "--yes")


@pytest.fixture
def mine(settings: ClientSettings, gpt_id: str) -> Iterator[httpx2.Client]:
    """A client of a new GPT."""
    actionstream("gpts", "create", gpt_id)
    limits = ("--rate-limits", "key:60000/m,write:60000/m")
    key = actionstream("keys", "create", gpt_id, "--name", "mine", *limits).strip()
    with settings.client(key) as client:
        yield client


def test_a_gpt_has_its_own_documents_until_it_is_deleted(
    mine: httpx2.Client, api: httpx2.Client, gpt_id: str, until: Until
) -> None:
    """Another GPT finds none of them; a disabled one is refused and loses nothing."""
    word = f"okapi{uuid.uuid4().hex[:8]}"
    sent = mine.post("/v1/documents", files={"file": ("note.txt", f"The {word} sleeps.".encode())})
    document_id = sent.json()["document_id"]
    document = f"/v1/documents/{document_id}"
    until(lambda: mine.get(document).json()["status"] == "completed" or None)
    assert api.get(document).status_code == 404
    for client, expected in ((mine, [document_id]), (api, [])):
        answer = client.post("/v1/search", json={"q": word, "mode": "keyword"})
        assert answer.status_code == 200, answer.text
        assert [item["document_id"] for item in answer.json()["items"]] == expected
    actionstream("gpts", "disable", gpt_id)
    until(lambda: mine.get(document).status_code == 403 or None)
    actionstream("gpts", "enable", gpt_id)
    until(lambda: mine.get(document).status_code == 200 or None)
    actionstream("gpts", "delete", gpt_id, "--yes")
    until(lambda: mine.get(document).status_code == 401 or None)
    shown = subprocess.run(
        [COMMAND, "gpts", "show", gpt_id], capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stderr.strip()) == (1, "error: The GPT was deleted. (deleted)")

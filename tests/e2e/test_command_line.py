"""The command line and the example producer, against the whole product."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest

from tests.e2e.conftest import SAMPLES, ClientSettings

PROJECT = Path(__file__).parents[2]
COMMAND = Path(sys.executable).with_name("actionstream")


def actionstream(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the command to its end."""
    return subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False)


@pytest.fixture
def mine(tmp_path: Path) -> tuple[Path, str]:
    """A text that no other document has, and the word that only it has."""
    word = f"quagga{uuid.uuid4().hex[:8]}"
    path = tmp_path / "letter.txt"
    path.write_text(f"Dear Ms Alder,\n\nthe {word} arrives on 3 March 2026.\n\nYours, T. Reed\n")
    return path, word


def test_a_file_is_added_found_shown_and_deleted(mine: tuple[Path, str]) -> None:
    """Add waits until the document can be found; the search highlights its word."""
    path, word = mine
    added = actionstream("documents", "add", str(path), "--metadata", "kept=false", "--json")
    assert added.returncode == 0, added.stderr
    [document] = json.loads(added.stdout)
    assert document["status"] == "completed"
    found = actionstream("search", word, "--mode", "keyword", "--where", '{"metadata.kept": false}')
    assert f"*{word}*" in found.stdout
    shown = actionstream("documents", "show", document["document_id"])
    assert "complete" in shown.stdout
    assert actionstream("documents", "delete", document["document_id"]).returncode == 0
    gone = actionstream("documents", "show", document["document_id"])
    assert (gone.returncode, gone.stderr.startswith("error: ")) == (1, True)


def test_a_bad_file_fails_the_command_but_not_the_others(
    mine: tuple[Path, str],
) -> None:
    """Exit code 1 says that one failed; the other is complete."""
    path, _ = mine
    broken = path.parent / "broken.pdf"
    broken.write_bytes(b"%PDF-1.7\nnothing")
    done = actionstream("documents", "add", str(path), str(broken), "--json")
    assert done.returncode == 1
    status = {Path(one["name"]).name: one["status"] for one in json.loads(done.stdout)}
    assert status == {"letter.txt": "completed", "broken.pdf": "failed"}


def test_the_doctor_finds_nothing_wrong() -> None:
    """Every check of the running product is well, a request through all of it included."""
    done = actionstream("doctor", "--json")
    wrong = [one for one in json.loads(done.stdout)["checks"] if not one["ok"]]
    assert wrong == []
    assert done.returncode == 0


def test_topics_agree() -> None:
    """The catalogue was applied, so that nothing differs."""
    done = actionstream("topics", "show", "--json")
    assert json.loads(done.stdout)["drift"] == []


def _produce(settings: ClientSettings, source: str) -> subprocess.CompletedProcess[str]:
    options = ["--bootstrap", settings.kafka_bootstrap, "--prefix", settings.topic_prefix]
    program = [sys.executable, str(PROJECT / "examples" / "producer.py"), source, *options]
    return subprocess.run(program, capture_output=True, text=True, check=False)


def test_another_program_gets_its_answer(settings: ClientSettings) -> None:
    """A record of an outside producer is worked off like an upload, and answered on `results`."""
    done = _produce(settings, str(SAMPLES / "ticket-bistrot.txt"))
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["status"] == "completed"
    assert answer["result"]["type"] == "receipt"


@pytest.mark.parametrize(
    ("source", "code"),
    [("s3:another-tenant/file.pdf", "foreign_key"), ("https://127.0.0.1/x.pdf", "private_address")],
)
def test_another_program_is_told_why_not(settings: ClientSettings, source: str, code: str) -> None:
    """What is refused comes back as a problem, on the same way."""
    done = _produce(settings, source)
    assert done.returncode == 1
    assert json.loads(done.stdout)["problem"]["code"] == code

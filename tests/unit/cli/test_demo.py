"""The demonstration: once however often, and what it says in the end."""

import json
from pathlib import Path

import pytest

from cli import report, samples
from cli.errors import Failure
from local import record
from local.record import Entry, State
from tests.fakes.gateway import FakeGateway


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three samples with their truth, and files that are none."""
    for name in ("plain.txt", "scan-a.pdf", "photo.jpg", "README.md", "make.py"):
        (tmp_path / name).write_text(name)
    for name in ("plain.json", "scan-a.json", "photo.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def _run(fake: FakeGateway, folder: Path) -> int:
    before = sum(call.method == "POST" and "documents" in call.url.path for call in fake.calls)
    samples.run(fake.opened(), limit_s=60, folder=folder)
    after = sum(call.method == "POST" and "documents" in call.url.path for call in fake.calls)
    return after - before


def test_samples_have_their_truth_beside_them(folder: Path) -> None:
    """Only files with a truth are samples, and what must be recognised comes last."""
    names = [one.name for one in samples.samples(folder)]
    assert names[0] == "plain.txt"
    assert set(names[1:]) == {"scan-a.pdf", "photo.jpg"}


def test_a_folder_without_samples_is_said(tmp_path: Path) -> None:
    """An installation without the project's folder cannot demonstrate."""
    with pytest.raises(Failure, match="clone"):
        samples.samples(tmp_path)


def test_samples_go_through_once(fake: FakeGateway, folder: Path) -> None:
    """The second run shows what is there and sends nothing."""
    assert _run(fake, folder) == 3
    assert _run(fake, folder) == 0
    assert len(fake.documents) == 3


def test_a_sample_lost_from_sight_is_not_doubled(fake: FakeGateway, folder: Path) -> None:
    """Where the list does not show a sample yet, its key finds the first one."""
    _run(fake, folder)
    for one in fake.documents.values():
        one["metadata"] = {}
    assert _run(fake, folder) == 3
    assert len(fake.documents) == 3


def test_what_failed_is_tried_again(fake: FakeGateway, folder: Path) -> None:
    """A failure of an earlier run is removed, and its file sent again as a new document."""
    fake.outcome = {"plain.txt": "failed"}
    _run(fake, folder)
    fake.outcome = {}
    _run(fake, folder)
    there = [one for one in fake.documents.values() if one["status"] != "deleted"]
    assert [one["status"] for one in there] == ["completed"] * 3


def test_clear_removes_the_samples_only(fake: FakeGateway, folder: Path) -> None:
    """Documents of the user's own stay; samples can come back afterwards."""
    mine = folder / "mine.txt"
    mine.write_text("mine")
    fake.opened().upload(mine, {})
    _run(fake, folder)
    samples.clear(fake.opened())
    left = [one["filename"] for one in fake.documents.values() if one["status"] != "deleted"]
    assert left == ["mine.txt"]
    assert _run(fake, folder) > 0
    assert len(fake.documents) == 7


def test_the_end_tells_what_was_found(
    fake: FakeGateway, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Class and fields with confidence, a search, and the steps."""
    _run(fake, folder)
    said = capsys.readouterr().out
    assert "3 of 3 completed, 3 of them need review" in said
    assert "12.50 €" in said
    assert f'actionstream search "{report.QUERY}"' in said


def test_steps_hold_no_secret_and_name_a_worker() -> None:
    """What is printed reads the environment file and kills a worker that exists."""
    said = report.steps("http://127.0.0.1:8080", 4711)
    assert "kill -9 4711" in said
    assert "$ACTIONSTREAM_API_KEY" in said
    assert [line.strip()[0] for line in said.splitlines() if line.strip()[1:3] == ". "] == [
        *"12345"
    ]


def test_the_worker_is_of_the_run_that_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pid comes from the run's own record, and only where its gateway is the one called."""
    monkeypatch.setattr(report, "PROJECT", tmp_path)
    state = tmp_path / ".actionstream"
    state.mkdir()
    assert report._worker("http://127.0.0.1:8080") is None
    gateway = Entry("gateway", State.READY, pid=1, port=8080, started_at=0, restarts=0)
    worker = Entry("worker-1", State.READY, pid=4711, port=9, started_at=0, restarts=0)
    record.write(state, [gateway, worker])
    assert report._worker("http://127.0.0.1:8080") == 4711
    assert report._worker("http://127.0.0.1:9999") is None


def test_samples_are_tagged(fake: FakeGateway, folder: Path) -> None:
    """Each sample's metadata says that it is one, so that `where` finds them all."""
    _run(fake, folder)
    assert json.loads(samples.WHERE) == {"metadata.sample": True}
    assert all(one["metadata"]["sample"] is True for one in fake.documents.values())

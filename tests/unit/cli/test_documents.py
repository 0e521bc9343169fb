"""Documents put in and followed: folders, options, refusals, what is shown meanwhile."""

import json
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console

from cli import adding, showing
from cli.batch import work_through
from cli.display import Lines, Moving, Nothing, confidence, table
from cli.errors import Failure
from cli.tracking import Tracked
from tests.fakes.gateway import FIELDS, FakeGateway, detail, problem
from tests.unit.cli.conftest import printed


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two files, one of them further down, and a hidden one."""
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    (tmp_path / "in" / "b.txt").write_text("b")
    (tmp_path / "in" / "deeper" / "a.txt").write_text("a")
    (tmp_path / "in" / ".hidden").write_text("no")
    return tmp_path / "in"


def test_folders_are_searched_and_hidden_files_left_out(folder: Path) -> None:
    """All files of a folder are found by name, however deep."""
    assert [path.name for path in adding.files([folder])] == ["b.txt", "a.txt"]


def test_a_path_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A misspelt path ends the command before anything is sent."""
    with pytest.raises(Failure, match="there is no file or folder"):
        list(adding.files([tmp_path / "gone"]))


def test_metadata_values_are_json_where_they_are() -> None:
    """`paid=true` is a boolean, `n=3` a number, anything else a text."""
    options = adding.Options(metadata=("paid=true", "n=3", "who=me", "eq=a=b"))
    expected = {"paid": True, "n": 3, "who": "me", "eq": "a=b"}
    assert json.loads(options.fields()["metadata"]) == expected


def test_metadata_without_a_value_is_refused() -> None:
    """A pair without an equals sign is a mistake."""
    with pytest.raises(Failure, match="KEY=VALUE"):
        adding.Options(metadata=("paid",)).fields()


def test_all_files_are_sent_and_followed(
    fake: FakeGateway, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With --json the last state of each document is printed, and nothing else."""
    options = adding.Options(metadata=("paid=true",))
    adding.add(fake.opened(), [folder], options, wait=True, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert [one["status"] for one in found] == ["completed", "completed"]
    assert {one["metadata"]["paid"] for one in fake.documents.values()} == {True}


def test_one_failure_ends_with_one(fake: FakeGateway, folder: Path) -> None:
    """A document that fails, fails the command, and the others are still worked off."""
    fake.outcome = {"a.txt": "failed"}
    with pytest.raises(typer.Exit) as caught:
        adding.add(fake.opened(), [folder], adding.Options(), wait=True, as_json=True)
    assert caught.value.exit_code == 1
    assert {one["status"] for one in fake.documents.values()} == {"completed", "failed"}


def test_a_refused_file_does_not_stop_the_others(
    fake: FakeGateway, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that the gateway does not take is shown with its reason."""
    fake.first = [problem(413, "too_large", "The file is too large.")]
    with pytest.raises(typer.Exit):
        adding.add(fake.opened(), [folder], adding.Options(), wait=True, as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert sorted(one["status"] for one in found) == ["completed", "refused"]
    assert "The file is too large. (too_large)" in {one["problem"] for one in found}


def test_without_waiting_it_ends_when_all_are_sent(fake: FakeGateway, folder: Path) -> None:
    """--no-wait leaves the documents to the workers."""
    fake.looks = 10_000
    adding.add(fake.opened(), [folder], adding.Options(), wait=False, as_json=True)
    assert len(fake.documents) == 2


def test_a_title_goes_with_one_file(fake: FakeGateway, folder: Path) -> None:
    """Two documents of the same title are no use."""
    options = adding.Options(title="A")
    with pytest.raises(Failure, match="single file"):
        adding.add(fake.opened(), [folder], options, wait=True, as_json=True)


def test_lines_say_each_status_once(fake: FakeGateway, folder: Path, page: Console) -> None:
    """Without a terminal there is a line a change: name, status, and what was found."""
    documents = [Tracked(name="a.txt", path=folder / "deeper" / "a.txt")]
    gateway = fake.opened()

    def send(one: Tracked) -> None:
        assert one.path is not None
        one.accept(gateway.upload(one.path, {})["document_id"])

    work_through(gateway, documents, send, Lines(page), wait=True)
    lines = printed(page).splitlines()
    assert lines[-1] == "a.txt  completed  invoice  0.70  needs review"
    assert len(lines) == len(set(lines))


def test_following_ends_at_its_limit(fake: FakeGateway) -> None:
    """What has not ended by then stays as it is, and nothing is raised."""
    fake.documents["doc_1"] = detail("doc_1", "a.txt", {})
    fake.looks = 10_000
    one = Tracked(name="a", document_id="doc_1", status="accepted")
    work_through(fake.opened(), [one], lambda _: None, Nothing(), wait=True, limit_s=0)
    assert not one.ended


def test_the_table_moves_and_stays(screen: Console) -> None:
    """On a terminal the whole table is left on the screen, however many rows it has."""
    documents = [Tracked(name=f"{number}.txt", status="accepted") for number in range(60)]
    with Moving(screen) as shown:
        shown.show(documents)
        for one in documents:
            one.learn({**detail("doc_1", one.name, {}), "status": "completed"})
        shown.show(documents)
    assert all(f"{number}.txt" in printed(screen) for number in range(60))


def test_rows_tell_what_matters(page: Console) -> None:
    """A row has the step of a document on its way, and the reason of one that failed."""
    moving = Tracked(name="a", path=Path("a"))
    moving.learn(detail("doc_1", "a.txt", {}))
    failed = Tracked(name="b", path=Path("b"))
    cause = {"detail": "It has no pages.", "code": "no_pages"}
    failed.learn({**detail("doc_2", "b.txt", {}), "status": "failed", "problem": cause})
    page.print(table([moving, failed]))
    assert "parse" in printed(page)
    assert "It has no pages. (no_pages)" in printed(page)


def test_what_a_step_waits_for_is_said() -> None:
    """A step that waits for a dependency names it."""
    one = Tracked(name="a")
    step = {"stage": "classify", "state": "waiting", "waiting_for": "models"}
    one.learn({**detail("doc_1", "a.txt", {}), "timeline": [step]})
    assert one.step == "classify, waits for models"


@pytest.mark.parametrize(
    ("step", "line"),
    [
        (
            {"attempt": 3, "attempts_allowed": 5, "retry_at": "2026-11-21T10:42:07Z"},
            "waiting for a retry: attempt 3 of 5 at 10:42",
        ),
        ({"waiting_since": "2026-11-21T10:40:59Z"}, "waiting for a retry since 10:40"),
        ({}, "waiting for a retry"),
        ({"waiting_for": None}, ""),
        ({"state": "done"}, ""),
    ],
)
def test_until_or_since_when_a_step_waits_is_said(step: dict[str, Any], line: str) -> None:
    """A retry has its attempt and time, an outage its beginning; a step that works has no line."""
    assert showing.waiting_line({"state": "waiting", "waiting_for": "a retry", **step}) == line


@pytest.mark.parametrize(
    ("value", "style"), [(0.9, "green"), (0.6, "yellow"), (0.1, "red"), (None, "")]
)
def test_confidence_has_a_colour(value: float | None, style: str) -> None:
    """High, middling and low are told apart at a glance."""
    assert str(confidence(value).style) == style


def test_a_document_is_shown_whole(fake: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    """State, timeline and the fields that have a value, cells by their row."""
    fake.documents["doc_1"] = detail("doc_1", "a.txt", {})
    showing.show(fake.opened(), "doc_1", as_json=False)
    shown = capsys.readouterr().out
    assert "lines[0].description" in shown
    assert "12.50 €" in shown
    assert "due_date" not in shown


def test_a_document_is_shown_to_machines(
    fake: FakeGateway, capsys: pytest.CaptureFixture[str]
) -> None:
    """--json prints the gateway's own answer with the evidence of the fields."""
    fake.documents["doc_1"] = detail("doc_1", "a.txt", {})
    showing.show(fake.opened(), "doc_1", as_json=True)
    assert json.loads(capsys.readouterr().out)["answers"] == FIELDS["answers"]


def test_watching_a_failure_ends_with_one(fake: FakeGateway) -> None:
    """A watched document that fails, fails the command."""
    fake.documents["doc_1"] = detail("doc_1", "a.txt", {})
    fake.outcome = {"a.txt": "failed"}
    with pytest.raises(typer.Exit):
        showing.watch(fake.opened(), ["doc_1"], as_json=True)
    assert fake.documents["doc_1"]["status"] == "failed"


def test_deleting_says_so(fake: FakeGateway, capsys: pytest.CaptureFixture[str]) -> None:
    """A deletion that is complete is said in a word."""
    fake.documents["doc_1"] = detail("doc_1", "a.txt", {})
    showing.delete(fake.opened(), "doc_1")
    assert capsys.readouterr().out == "deleted\n"


def test_an_interruption_is_passed_on_at_once(fake: FakeGateway, folder: Path) -> None:
    """Ctrl-C ends the command although the gateway is busy, and sends nothing more."""
    fake.busy = True
    gateway = fake.opened()
    documents = [Tracked(name=str(number), path=folder / "b.txt") for number in range(9)]

    class Interrupted(Nothing):
        def show(self, documents: object) -> None:
            raise KeyboardInterrupt

    def send(one: Tracked) -> None:
        assert one.path is not None
        gateway.upload(one.path, {})

    with pytest.raises(KeyboardInterrupt):
        work_through(gateway, documents, send, Interrupted(), wait=True)
    assert fake.documents == {}

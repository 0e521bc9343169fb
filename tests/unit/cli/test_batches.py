"""Folders as batches: what is sent, what is skipped, going on after an interruption, refusals."""

import hashlib
import json
from pathlib import Path
from typing import Any

import httpx2
import pytest
import typer
from rich.console import Console

from cli import batches, batching
from cli.adding import Options
from cli.batching import Plan
from cli.errors import Failure
from cli.folder import Choice, calls, key_of, mark, paths, read
from cli.progress import Bars, Lines, span
from tests.fakes.batches import FakeBatches
from tests.unit.cli.conftest import printed

PLAN = Plan(Choice(), {})


@pytest.fixture
def gateway() -> FakeBatches:
    """A gateway without batches."""
    return FakeBatches()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three files, one of them further down, and a hidden one."""
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    (tmp_path / "in" / "a.txt").write_text("a")
    (tmp_path / "in" / "b.txt").write_text("b")
    (tmp_path / "in" / "deeper" / "c.pdf").write_text("c")
    (tmp_path / "in" / ".hidden").write_text("no")
    return tmp_path / "in"


def added(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str], plan: Plan = PLAN
) -> dict[str, Any]:
    """Returns: what adding a folder says to machines."""
    batching.add(gateway.opened(), folder, plan, as_json=True)
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return said


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (Choice(), ["a.txt", "b.txt", "deeper/c.pdf"]),
        (Choice(recursive=False), ["a.txt", "b.txt"]),
        (Choice(include=("*.pdf",)), ["deeper/c.pdf"]),
        (Choice(exclude=("a.*", "deeper/*")), ["b.txt"]),
        (Choice(include=("*.txt",), exclude=("b.txt",)), ["a.txt"]),
    ],
)
def test_files_are_chosen_by_globs(folder: Path, choice: Choice, names: list[str]) -> None:
    """A pattern without a slash means names anywhere; hidden files are left out."""
    assert [path.relative_to(folder).as_posix() for path in paths(folder, choice)] == names


def test_keys_tell_place_and_bytes_apart(folder: Path) -> None:
    """The same bytes elsewhere, or others in the same place, are another document."""
    first = read(folder, folder / "a.txt")
    (folder / "b.txt").write_text("a")
    second = read(folder, folder / "b.txt")
    (folder / "a.txt").write_text("other")
    third = read(folder, folder / "a.txt")
    assert len({first.key, second.key, third.key}) == 3
    assert key_of([first], "batch_1") != key_of([first], "batch_2")


def test_names_fit_forms(folder: Path) -> None:
    """What a form could not carry as it is, or the gateway would leave out, is replaced."""
    odd = folder / 'we"ird\\na\u202eme.txt'
    odd.write_text("x")
    assert read(folder, odd).name == "we_ird_na_me.txt"


def test_calls_are_bounded(folder: Path) -> None:
    """At most 500 files and 16 MiB in one; a larger file goes alone."""
    file = read(folder, folder / "a.txt")
    assert [len(one) for one in calls([file] * 1001)] == [500, 500, 1]
    large = type(file)(file.path, "large", 17 * 1024**2, "0")
    assert [len(one) for one in calls([file, large, file])] == [1, 1, 1]


def test_a_folder_becomes_a_batch(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Named as the folder, closed when all is in, and followed to its end."""
    options = Options(type_="invoice", metadata=("year=2026",))
    said = added(gateway, folder, capsys, Plan(Choice(), options.defaults()))
    [batch] = gateway.batches.values()
    assert (batch["name"], batch["metadata"]) == ("in", {"folder": mark(folder)})
    assert gateway.uploads == [["a.txt", "b.txt", "deeper/c.pdf"]]
    assert gateway.said == [{"type": "invoice", "metadata": {"year": 2026}}]
    assert (said["uploaded"], said["batch"]["state"]) == (3, "completed")


def test_what_is_in_already_is_skipped(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By its bytes, a second copy in the folder too; --again sends all of it."""
    (folder / "copy.txt").write_text("b")
    gateway.known = {hashlib.sha256(b"a").hexdigest()}
    said = added(gateway, folder, capsys)
    assert gateway.uploads == [["b.txt", "deeper/c.pdf"]]
    assert (said["uploaded"], said["skipped"]) == (2, 2)
    assert added(gateway, folder, capsys, Plan(Choice(), {}, again=True))["uploaded"] == 4


def test_where_all_is_in_there_is_no_batch(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is made for nothing."""
    gateway.known = {hashlib.sha256(text).hexdigest() for text in (b"a", b"b", b"c")}
    said = added(gateway, folder, capsys)
    assert (said["skipped"], said["batch"], gateway.batches) == (3, None, {})


def test_an_interrupted_upload_is_gone_on_with(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C leaves the batch open; the same command sends the rest into the same batch."""
    (folder / "large.bin").write_bytes(b"x" * (17 * 1024**2))

    def interrupted(request: httpx2.Request) -> None:
        if request.url.path.endswith("/close"):
            raise KeyboardInterrupt

    gateway.before = interrupted
    gateway.refused = lambda names: "large.bin" in names
    with pytest.raises(typer.Exit) as caught:
        added(gateway, folder, capsys)
    assert caught.value.exit_code == 130
    assert "the same command goes on" in capsys.readouterr().err
    gateway.before = lambda _: None
    gateway.refused = lambda _: False

    said = added(gateway, folder, capsys)
    assert gateway.uploads[1:] == [["large.bin"]]
    assert (said["known"], said["uploaded"]) == (3, 1)
    [batch] = gateway.batches.values()
    assert (batch["state"], batch["documents"]) == ("completed", 4)


def test_a_gateway_that_goes_away_leaves_a_batch_to_go_on_with(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What went wrong is said, and that the same command goes on."""

    def away(request: httpx2.Request) -> None:
        if request.url.path.endswith("/documents") and request.method == "POST":
            raise httpx2.ConnectError("gone")

    gateway.before = away
    with pytest.raises(Failure, match="does not answer"):
        added(gateway, folder, capsys)
    assert "left at batch batch_1 with 0 files in it" in capsys.readouterr().err


def test_a_batch_that_is_worked_on_is_only_followed(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever left while it was worked on sees the same batch again, not another one."""
    gateway.looks = 10_000
    first = added(gateway, folder, capsys, Plan(Choice(), {}, wait=False))
    gateway.looks = 1
    again = added(gateway, folder, capsys)
    assert again["batch"]["batch_id"] == first["batch"]["batch_id"]
    assert (again["known"], len(gateway.batches)) == (3, 1)


def test_a_file_that_is_refused_is_found_out(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others of its call are sent; the reason is told, and the exit code is 1."""
    gateway.refused = lambda names: "b.txt" in names
    with pytest.raises(typer.Exit):
        batching.add(gateway.opened(), folder, PLAN, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["uploaded"] == 2
    assert said["refused"] == [{"path": "b.txt", "reason": "It is too large. (too_large)"}]


def test_a_file_that_cannot_be_read_is_told(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that went away between looking and sending concerns only itself."""

    def gone(request: httpx2.Request) -> None:
        if request.method == "POST":
            (folder / "a.txt").unlink(missing_ok=True)

    gateway.before = gone
    with pytest.raises(typer.Exit):
        batching.add(gateway.opened(), folder, PLAN, as_json=True)
    said = json.loads(capsys.readouterr().out)
    assert said["refused"] == [{"path": "a.txt", "reason": "No such file or directory"}]
    assert said["uploaded"] == 2


def test_failed_documents_end_with_one_and_reasons(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each cause is printed with its count and an example."""
    gateway.failing = {"b.txt"}
    with pytest.raises(typer.Exit) as caught:
        batching.add(gateway.opened(), folder, PLAN, as_json=False)
    assert caught.value.exit_code == 1
    text = capsys.readouterr().out
    assert "1 failed: It has no pages. (no_pages), such as b.txt" in text
    assert "actionstream batches show batch_1" in text


def test_a_folder_without_files_is_said(gateway: FakeBatches, tmp_path: Path) -> None:
    """Nothing to send is a mistake."""
    with pytest.raises(Failure, match="there is no such file"):
        batching.add(gateway.opened(), tmp_path, PLAN, as_json=True)


def test_a_title_is_of_one_file() -> None:
    """All documents of a folder under one title are no use."""
    with pytest.raises(Failure, match="single file"):
        Options(title="A").defaults()


def test_batches_are_listed_and_shown(
    gateway: FakeBatches, folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The list has names and counts; one has types and failures; results go where they are told."""
    gateway.failing = {"b.txt"}
    with pytest.raises(typer.Exit):
        batching.add(gateway.opened(), folder, PLAN, as_json=True)
    capsys.readouterr()
    batches.show_list(gateway.opened(), [], 20, as_json=False)
    assert "completed" in capsys.readouterr().out
    batches.show_list(gateway.opened(), ["open"], 20, as_json=False)
    assert "there are no such batches" in capsys.readouterr().out
    with pytest.raises(typer.Exit):
        batches.show_one(gateway.opened(), "batch_1", watch=True, as_json=False)
    text = capsys.readouterr().out
    assert "3 documents: 2 completed, 1 failed" in text
    assert "types: 2 invoice" in text
    batches.change(gateway.opened(), "batch_1", "retry", as_json=True)
    assert json.loads(capsys.readouterr().out)["failures"] == []
    batches.results(gateway.opened(), "batch_1", "jsonl", tmp_path / "out")
    assert (tmp_path / "out").read_text() == '{"ordinal":1}\n'


def test_lines_come_now_and_then(gateway: FakeBatches, page: Console) -> None:
    """Without a terminal the beginning and the end are told, with pace and time left."""
    shown = Lines(page)
    shown.step("uploaded", 0, 10)
    shown.step("uploaded", 5, 10)
    shown.step("uploaded", 10, 10)
    gateway._made({"name": "in", "metadata": {}})
    gateway.looks = 1
    client = gateway.opened()
    client.call("POST", "/v1/batches/batch_1/close")
    batching.follow(client, "batch_1", shown)
    lines = printed(page).splitlines()
    assert lines == ["uploaded 0 of 10", "uploaded 10 of 10", "worked off 0 of 0"]


def test_bars_have_pace_and_time_left(gateway: FakeBatches, screen: Console) -> None:
    """On a terminal a bar each, and beside the last one what is known of the rest."""
    gateway._made({"name": "in", "metadata": {}})
    with Bars(screen) as shown:
        shown.step("uploaded", 1, 2)
        shown.stands(gateway.opened().call("GET", "/v1/batches/batch_1"))
    assert "30 a minute, 1 to 5 min left" in printed(screen)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [(5.9, 39.2, "5 to 40 s"), (100, 300, "1 to 5 min"), (3700, 10_900, "1 to 4 h")],
)
def test_intervals_are_readable(low: float, high: float, text: str) -> None:
    """In the unit that fits the longer one, and never narrower than they are."""
    assert span(low, high) == text

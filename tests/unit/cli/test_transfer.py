"""Export and import: exact lines, going on after a stop, nothing twice, folders of strangers."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from cli.errors import Failure
from cli.transfer import journal, reading
from cli.transfer.documents import safe_name
from cli.transfer.exporting import export
from cli.transfer.importing import Options, bring_in, preview
from cli.transfer.layout import ObjectLine
from cli.transfer.objects import batches
from tests.fakes.gateway import problem
from tests.fakes.tenant import FakeTenant

EXACT = {"n": 10**30, "tenth": 0.1, "text": '\U0001f600 \u2028 \x85 \\ "', "": [None, {}]}


@pytest.fixture
def source() -> FakeTenant:
    """A tenant with something of everything."""
    tenant = FakeTenant()
    tenant.define("diary", description="Days", default_ttl_s=60, indexes={"equality": True})
    tenant.put("diary", EXACT)
    tenant.put("diary", {"n": 2}, key="a b/ä")
    tenant.objects["diary"][1]["key"] = "a b ä"
    tenant.put("diary", {"n": 3}, expires_at=later(hours=1))
    tenant.define("empty")
    tenant.types["recipe"] = {"name": "recipe", "version": 3, "fields": {"properties": {}}}
    corrections = [{"name": "total", "value": 1}, {"name": "total", "value": 10**20}]
    letter = tenant.upload("../ä b.eml", b"From: me", title="T", corrections=corrections)
    tenant.upload("attached.pdf", b"%PDF", parent_id=letter)
    tenant.upload("lost.txt", b"", status="failed")
    tenant.upload("b.txt", b"soup", type="recipe", metadata={"n": 10**20})
    return tenant


@pytest.fixture
def folder(source: FakeTenant, tmp_path: Path) -> Path:
    """What an export of it made."""
    export(source.opened(), "demo", tmp_path / "out", as_json=False)
    return tmp_path / "out"


@pytest.fixture
def target() -> FakeTenant:
    """A tenant without anything."""
    return FakeTenant(gpt_id="other")


def later(**span: float) -> str:
    """A time from now."""
    return (datetime.now(UTC) + timedelta(**span)).isoformat()


def brought(target: FakeTenant, folder: Path, **options: Any) -> None:
    """Imports a folder."""
    bring_in(target.opened(), target.gpt_id, folder, Options(**options))


def bodies(tenant: FakeTenant, name: str) -> list[Any]:
    """Keys and bodies of a collection's objects."""
    return [(one["key"], one["body"]) for one in tenant.objects[name]]


def changed(folder: Path, name: str, change: Callable[[list[Any]], Any]) -> None:
    """Writes a file of a folder anew, with its lines changed."""
    path = folder / name
    lines = [json.loads(raw) for raw in path.read_bytes().split(b"\n")[:-1]]
    change(lines)
    path.write_text("".join(json.dumps(one) + "\n" for one in lines))


def test_a_tenant_arrives_as_it_was(folder: Path, source: FakeTenant, target: FakeTenant) -> None:
    """Settings, bodies, keys, types, names, metadata, bytes and corrections are equal."""
    brought(target, folder)
    assert target.collections["diary"] == source.collections["diary"] | {"object_count": 3}
    assert bodies(target, "diary") == bodies(source, "diary")
    assert target.objects["empty"] == []
    assert target.types == source.types
    letter, soup = sorted(target.documents.values(), key=lambda one: len(one["filename"]))[::-1]
    assert letter["filename"] == "../ä b.eml"
    assert letter["corrections"] == [{"name": "total", "value": 10**20}]
    assert (soup["requested_type"], soup["metadata"]) == ("recipe", {"n": 10**20})
    assert sorted(target.contents.values()) == [b"From: me", b"soup"]


def test_lines_are_exact(folder: Path) -> None:
    """Integers stay integers, texts stay texts, and one object is one line."""
    first, *_, last = (folder / "objects" / "diary.jsonl").read_bytes().split(b"\n")
    assert json.loads(first)["body"] == EXACT
    assert b'"n":1000000000000000000000000000000,' in first
    assert "\u2028".encode() in first
    assert last == b""


def test_the_manifest_counts(folder: Path) -> None:
    """It says how many lines each file has, so that a torn copy is noticed."""
    found = reading.manifest(folder)
    assert found.lines == {
        "collections.jsonl": 2,
        "objects/diary.jsonl": 3,
        "objects/empty.jsonl": 0,
        "document-types.jsonl": 1,
        "documents.jsonl": 4,
    }
    assert (found.format, found.gpt_id, found.files, found.file_bytes) == (2, "demo", 3, 16)
    kept = {path.name for path in folder.iterdir()}
    assert kept.isdisjoint({"progress.json", ".lock"})


def test_the_end_of_an_object_is_kept(folder: Path, target: FakeTenant) -> None:
    """Lifetimes count from the import; what has no end gets none from the collection's default."""
    brought(target, folder)
    ends = [one.get("ttl_s", 0) for one in target.objects["diary"]]
    assert ends[:2] == [0, 0]
    assert 3500 < ends[2] <= 3600
    defined = [json.loads(call.content) for call in target.calls if call.url.path.endswith("ions")]
    assert [one["default_ttl_s"] for one in defined if one["name"] == "diary"] == [None, 60]


@pytest.mark.parametrize("calls", range(1, 24, 3))
def test_an_export_goes_on_where_it_stopped(source: FakeTenant, tmp_path: Path, calls: int) -> None:
    """Wherever it was cut off, the repeat ends with the same folder."""
    source.lasting = calls
    with pytest.raises(Failure, match="does not answer"):
        export(source.opened(), "demo", tmp_path / "out", as_json=False)
    assert not (tmp_path / "out").exists()
    source.lasting = 1000
    export(source.opened(), "demo", tmp_path / "out", as_json=False)
    assert reading.manifest(tmp_path / "out").lines["documents.jsonl"] == 4
    found = reading.lines(tmp_path / "out", "objects/diary.jsonl", ObjectLine)
    assert [one.read.body for one in found] == [one["body"] for one in source.objects["diary"]]


@pytest.mark.parametrize("calls", range(1, 10, 2))
def test_an_import_goes_on_where_it_stopped(
    folder: Path, source: FakeTenant, target: FakeTenant, calls: int
) -> None:
    """Wherever it was cut off, the repeats bring in all of it, and nothing twice."""
    target.lasting = calls
    with pytest.raises(Failure, match="does not answer"):
        brought(target, folder)
    target.lasting = 1000
    brought(target, folder)
    brought(target, folder)
    assert bodies(target, "diary") == bodies(source, "diary")
    assert len(target.documents) == 2
    assert sum(len(one["corrections"]) for one in target.documents.values()) == 1


def test_notes_can_be_lost(folder: Path, source: FakeTenant, target: FakeTenant) -> None:
    """A copy of the folder without them doubles nothing: the calls bear the same keys."""
    brought(target, folder)
    for path in (folder / "imports").iterdir():
        path.unlink()
    brought(target, folder)
    assert bodies(target, "diary") == bodies(source, "diary")
    assert len(target.documents) == 2


def test_a_torn_note_is_forgotten(folder: Path, source: FakeTenant, target: FakeTenant) -> None:
    """A crash in the middle of a note does not spoil the notes before and behind it."""
    brought(target, folder)
    [path] = (folder / "imports").iterdir()
    with path.open("ab") as file:
        file.write(b'{"done": "torn')
    brought(target, folder)
    assert bodies(target, "diary") == bodies(source, "diary")
    assert b"torn" not in path.read_bytes()


def test_again_imports_anew(folder: Path, target: FakeTenant) -> None:
    """What was imported and removed since can be brought in once more."""
    brought(target, folder)
    target.objects["diary"].clear()
    brought(target, folder)
    assert target.objects["diary"] == []
    brought(target, folder, again=True)
    brought(target, folder)
    assert len(target.objects["diary"]) == 3


def test_what_is_refused_is_said_and_tried_again(
    folder: Path, target: FakeTenant, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line, the place and the reason; the others come in; a repeat tries only that one."""
    target.refused = {2}
    for _ in range(2):
        with pytest.raises(typer.Exit):
            brought(target, folder, only="collections")
        said = capsys.readouterr().err
        assert said == (
            "objects/diary.jsonl, line 2: It does not fit. /body/n is refused (schema_mismatch)\n"
        )
        assert [body["n"] for _, body in bodies(target, "diary")] == [10**30, 3]
    target.refused = set()
    brought(target, folder, only="collections")
    assert [body["n"] for _, body in bodies(target, "diary")] == [10**30, 3, 2]


def test_a_key_that_stands_twice_is_said(folder: Path, target: FakeTenant) -> None:
    """The second one would replace the first one."""
    changed(folder, "objects/diary.jsonl", lambda lines: lines[2].update(key="a b ä"))
    with pytest.raises(typer.Exit):
        brought(target, folder, only="collections")
    assert [body["n"] for _, body in bodies(target, "diary")] == [10**30, 2]


def shared() -> FakeTenant:
    """A tenant whose end users have the same key, and write in turn."""
    tenant = FakeTenant()
    for number in range(3):
        for subject in (None, "ann", "jürgen &"):
            tenant.put("diary", {"n": number, "of": subject}, f"day {number}", subject)
    corrections = [{"name": "total", "value": 1}]
    tenant.upload("a.txt", b"hers", subject="ann", corrections=corrections)
    tenant.upload("b.txt", b"nobody's", corrections=corrections)
    return tenant


def test_everything_stays_whose_it_was(tmp_path: Path, target: FakeTenant) -> None:
    """Objects and documents are written on behalf of their end users, who may share keys."""
    export(shared().opened(), "demo", tmp_path / "out", as_json=False)
    for _ in range(2):
        brought(target, tmp_path / "out")
        owners = [(one["body"]["of"], one["body"]["n"]) for one in target.objects["diary"]]
        assert owners == [(each, n) for each in (None, "ann", "jürgen &") for n in range(3)]
        assert all(one["body"]["of"] == one["subject"] for one in target.objects["diary"])
        found = {one["filename"]: one for one in target.documents.values()}
        assert {name: one["subject"] for name, one in found.items()} == {
            "a.txt": "ann",
            "b.txt": None,
        }
        assert all(one["corrections"] for one in found.values())


def test_a_folder_that_knew_no_end_users(tmp_path: Path, target: FakeTenant) -> None:
    """Format 1 is read: what is in it becomes the whole GPT's, and the same key is said."""
    out = tmp_path / "out"
    export(shared().opened(), "demo", out, as_json=False)
    for name in ("objects/diary.jsonl", "documents.jsonl"):
        changed(out, name, lambda lines: [one.pop("subject") for one in lines])
    manifest = json.loads((out / "manifest.json").read_text())
    (out / "manifest.json").write_text(json.dumps(manifest | {"format": 1}))
    with pytest.raises(typer.Exit):
        brought(target, out)
    assert [one["subject"] for one in target.objects["diary"]] == [None] * 3
    assert [one["subject"] for one in target.documents.values()] == [None] * 2


def test_what_has_ended_meanwhile_is_left_out(
    folder: Path, target: FakeTenant, capsys: pytest.CaptureFixture[str]
) -> None:
    """An object whose time was over before the import is counted and not sent."""
    changed(
        folder, "objects/diary.jsonl", lambda lines: lines[2].update(expires_at=later(hours=-1))
    )
    brought(target, folder, only="collections")
    assert len(target.objects["diary"]) == 2
    assert "1 expired" in capsys.readouterr().out


def test_only_a_part_can_be_imported(folder: Path, target: FakeTenant) -> None:
    """Collections without documents, and the other way round."""
    brought(target, folder, only="documents")
    assert (target.collections, len(target.documents)) == ({}, 2)
    brought(target, folder, only="collections")
    assert len(target.collections) == 2


def test_a_refused_key_ends_the_import(folder: Path, target: FakeTenant) -> None:
    """What every call would be refused for is not said for each object."""
    target.first = [problem(403, "forbidden", "the key's scopes do not cover this")]
    with pytest.raises(Failure, match="scopes"):
        brought(target, folder)
    assert len(target.calls) == 1


def test_a_preview_sends_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It says what would be imported and what is left out."""
    preview(folder, Options())
    said = capsys.readouterr().out
    assert "2 collections with 3 objects" in said
    assert "1 document types and 2 documents" in said
    assert "1 attachments" in said
    assert "1 documents have no file" in said
    preview(folder, Options(as_json=True))
    assert json.loads(capsys.readouterr().out)["objects"] == 3


def cut(folder: Path) -> None:
    """The last line is torn."""
    path = folder / "objects" / "diary.jsonl"
    path.write_bytes(path.read_bytes()[:-20])


def shortened(folder: Path) -> None:
    """A whole line is missing."""
    changed(folder, "objects/diary.jsonl", lambda lines: lines.pop())


def removed(folder: Path) -> None:
    """A file is missing."""
    (folder / "documents.jsonl").unlink()


def of_the_future(folder: Path) -> None:
    """Another format."""
    (folder / "manifest.json").write_text('{"format": 3}')


def linked(folder: Path) -> None:
    """A file is a link to somewhere else."""
    path = folder / "objects" / "diary.jsonl"
    path.rename(folder / "elsewhere")
    path.symlink_to(folder / "elsewhere")


def linked_folder(folder: Path) -> None:
    """A folder is a link to somewhere else."""
    (folder / "objects").rename(folder / "elsewhere")
    (folder / "objects").symlink_to(folder / "elsewhere")


def swapped(folder: Path) -> None:
    """A document has other bytes."""
    [path] = (folder / "files").glob("*/b.txt")
    path.write_bytes(b"rat")


def no_number(folder: Path) -> None:
    """A value that is not JSON."""
    path = folder / "objects" / "diary.jsonl"
    path.write_bytes(path.read_bytes().replace(b"0.1", b"NaN"))


def no_name(folder: Path) -> None:
    """A collection whose name leads elsewhere."""
    changed(folder, "collections.jsonl", lambda lines: lines[0].update(name="../x"))


def leading_out(folder: Path) -> None:
    """A document whose file is another one of this machine."""
    changed(folder, "documents.jsonl", lambda lines: lines[0].update(file="files/../../secret"))


def absolute(folder: Path) -> None:
    """A document whose file is named from the root."""
    changed(folder, "documents.jsonl", lambda lines: lines[0].update(file="/etc/hostname"))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (cut, r"diary\.jsonl, line 3 is torn"),
        (shortened, r"has 2 lines, and the manifest says 3"),
        (removed, r"documents\.jsonl is missing"),
        (of_the_future, r"says format 3, and this version reads formats up to 2"),
        (linked, r"is a symbolic link"),
        (linked_folder, r"is a symbolic link"),
        (swapped, r"its SHA-256 differs"),
        (no_number, r"line 1: /body/tenth: a number outside the range of a double"),
        (no_name, r"collections\.jsonl, line 1: /name"),
        (leading_out, r"is no name of a file within"),
        (absolute, r"is no name of a file within"),
    ],
)
def test_a_damaged_folder_changes_nothing(
    folder: Path, target: FakeTenant, damage: Callable[[Path], None], said: str
) -> None:
    """It is looked through to its end before anything is sent; the sentence names the place."""
    damage(folder)
    for options in ({}, {"again": True}):
        with pytest.raises(Failure, match=said):
            brought(target, folder, **options)
    assert target.calls == []


def test_an_export_overwrites_nothing(source: FakeTenant, folder: Path, tmp_path: Path) -> None:
    """Neither what is there, nor what another tenant has begun, nor any other folder."""
    with pytest.raises(Failure, match="is there already"):
        export(source.opened(), "demo", folder, as_json=False)
    (tmp_path / "b.unfinished").mkdir()
    with pytest.raises(Failure, match="no unfinished export"):
        export(source.opened(), "demo", tmp_path / "b", as_json=False)
    with pytest.raises(Failure, match="no such GPT"):
        export(source.opened(), "else", tmp_path / "c", as_json=False)
    with pytest.raises(Failure, match="an unfinished export of else"):
        export(source.opened(), "demo", tmp_path / "c", as_json=False)


def test_bytes_that_cannot_be_had_are_said(source: FakeTenant, tmp_path: Path) -> None:
    """The rest is exported; the exit code tells."""
    source.contents["doc_demo_4"] = b"other bytes"
    with pytest.raises(typer.Exit):
        export(source.opened(), "demo", tmp_path / "out", as_json=True)
    assert reading.manifest(tmp_path / "out").files == 2


def test_two_do_not_write_at_once(folder: Path, target: FakeTenant) -> None:
    """The second of two imports of a folder into one tenant is told so."""
    ids = ("http://gateway.test", "other")
    with (
        journal.opened(folder, "e", ids, again=False),
        pytest.raises(Failure, match="another process"),
    ):
        brought(target, folder)
    assert target.calls == []


def test_a_folder_that_cannot_be_written_to_is_said(folder: Path, target: FakeTenant) -> None:
    """An import needs a place for its notes."""
    (folder / "imports").write_bytes(b"")
    with pytest.raises(Failure, match="copy the folder"):
        brought(target, folder)
    assert target.calls == []


def test_batches_are_as_large_as_a_call_may_be() -> None:
    """At most 500 lines and 900,000 bytes; a line that is larger goes alone."""
    read = ObjectLine(key=None, body={}, expires_at=None)
    sizes = [1, 950_000, *([800] * 1100), 700_000, 300_000]
    found = (reading.Line(n, b"x" * size, {}, read) for n, size in enumerate(sizes, 1))
    assert [len(batch.lines) for batch in batches(found)] == [1, 1, 500, 500, 101, 1]


def test_what_waits_for_its_batch_is_bounded() -> None:
    """End users write in turn, so each has a batch of its own; the oldest goes before its time."""
    reads = [ObjectLine(key=None, subject=f"u{n}", body={}, expires_at=None) for n in range(30)]
    found = (reading.Line(n, b"x" * 100_000, {}, reads[n % 30]) for n in range(120))
    first = next(batches(found))
    assert (first.subject, len(first.lines), len(list(found))) == ("u0", 3, 36)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("Rechnung ä📄.pdf", "Rechnung_ä_.pdf"),
        (None, "original"),
        ("..", "original"),
        ("x" * 300 + ".pdf", "x" * 40 + ".pdf"),
    ],
)
def test_files_are_called_what_any_file_system_takes(name: str | None, safe: str) -> None:
    """The true name stands in the document's line."""
    assert safe_name(name) == safe

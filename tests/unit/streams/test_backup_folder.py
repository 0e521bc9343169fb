"""A folder of backups: whole or not there, private, and swept only of what is left over."""

import os
import re
import stat
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from streams.backup.errors import BackupFailed, Missing
from streams.backup.folder import Folder
from streams.backup.manifest import DUMP, MANIFEST, VERDICT, Manifest, Verdict, named
from streams.backup.settings import BackupSettings
from streams.backup.target import opened, stored, write_note

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


async def chunks(*content: bytes, error: Exception | None = None) -> AsyncIterator[bytes]:
    """Yield these chunks, and then fail if so asked."""
    for chunk in content:
        yield chunk
    if error is not None:
        raise error


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """An empty folder."""
    return Folder(tmp_path)


def inside(folder: Path) -> set[str]:
    """The names of what is in a folder."""
    return {path.name for path in folder.iterdir()}


def manifest(name: str) -> Manifest:
    """A manifest of little content."""
    return Manifest(
        name=name,
        database="actionstream",
        started_at=NOW,
        finished_at=NOW,
        size_bytes=3,
        sha256="0" * 64,
        tables={},
        revision="0003",
        product_version="0.1.0",
        server_version="18.6",
        dump_version="18.6",
    )


async def test_a_backup_is_one_when_it_is_published(folder: Folder, tmp_path: Path) -> None:
    """Before that it is not listed; then it is, and only its owner can read it."""
    name = named(NOW)
    await folder.write(name, DUMP, chunks(b"a", b"bc"))
    await write_note(folder, name, MANIFEST, manifest(name))
    assert await stored(folder) == []

    await folder.publish(name)

    [found] = await stored(folder)
    assert found.manifest == manifest(name)
    assert b"".join([chunk async for chunk in folder.read(name, DUMP)]) == b"abc"
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / name / DUMP).stat().st_mode) == 0o600


async def test_a_verdict_is_written_beside_it(folder: Folder) -> None:
    """The last one counts."""
    name = named(NOW)
    await write_note(folder, name, MANIFEST, manifest(name))
    await folder.publish(name)
    for flaw in (None, "the dump is missing"):
        await write_note(folder, name, VERDICT, Verdict(checked_at=NOW, flaw=flaw))

    [found] = await stored(folder)

    assert found.flaw == "the dump is missing"
    assert not found.good


async def test_a_file_appears_whole_or_not_at_all(folder: Folder) -> None:
    """What fails in the middle leaves nothing under the file's name."""
    name = named(NOW)
    with pytest.raises(BackupFailed, match="the server is gone"):
        await folder.write(name, DUMP, chunks(b"a", error=BackupFailed("the server is gone")))
    with pytest.raises(Missing, match=re.escape(DUMP)):
        _ = [chunk async for chunk in folder.read(name, DUMP)]


@pytest.mark.parametrize(
    ("number", "said"), [(28, "is full: free some space"), (5, "fails: Input/output error")]
)
async def test_a_disk_that_fails_is_told(folder: Folder, number: int, said: str) -> None:
    """A full one with what to do, another with the system's own words."""
    with pytest.raises(BackupFailed, match=said):
        await folder.write(named(NOW), DUMP, chunks(error=OSError(number, "")))


async def test_only_what_is_left_over_is_swept(folder: Folder, tmp_path: Path) -> None:
    """Old and unfinished goes; what is young, finished, or not ours stays."""
    old, young, finished = (named(NOW - timedelta(days=age)) for age in (3, 0, 4))
    for name in (old, young, finished):
        await folder.write(name, DUMP, chunks(b"abc"))
    await folder.publish(finished)
    (tmp_path / "notes.partial").mkdir()
    then = (NOW - timedelta(days=3)).timestamp()
    for name in (f"{old}.partial", finished):
        for path in (tmp_path / name / DUMP, tmp_path / name):
            os.utime(path, (then, then))
    os.utime(tmp_path / f"{young}.partial" / DUMP, (NOW.timestamp(), NOW.timestamp()))
    os.utime(tmp_path / f"{young}.partial", (then, then))

    assert await folder.sweep(NOW - timedelta(days=1)) == [old]
    assert inside(tmp_path) == {finished, f"{young}.partial", "notes.partial"}


async def test_what_is_removed_is_never_half_a_backup(folder: Folder, tmp_path: Path) -> None:
    """Finished or not, all of it goes; what is not there is gone already."""
    finished, begun = named(NOW), named(NOW - timedelta(days=1))
    for name in (finished, begun):
        await folder.write(name, DUMP, chunks(b"abc"))
    await folder.publish(finished)

    for name in (finished, begun, named(NOW)):
        await folder.remove(name)

    assert inside(tmp_path) == set()


@pytest.mark.parametrize("content", [b"", b"{", b'{"format": 2}', b"\xff" * 100])
async def test_a_manifest_that_cannot_be_read_is_none(folder: Folder, content: bytes) -> None:
    """The backup is listed, as bad."""
    name = named(NOW)
    await folder.write(name, MANIFEST, chunks(content))
    await folder.publish(name)

    [found] = await stored(folder)

    assert found.flaw == "its manifest cannot be read"


async def test_a_missing_folder_is_not_made(tmp_path: Path) -> None:
    """It may be the place of a disk that is not mounted."""
    settings = BackupSettings(_env_file=None, backup_target=str(tmp_path / "missing"))
    with pytest.raises(BackupFailed, match="is missing: make it, or mount its disk"):
        async with opened(settings):
            pass
    assert inside(tmp_path) == set()

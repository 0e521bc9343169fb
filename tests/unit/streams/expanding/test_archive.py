"""ZIP files from outside: what is taken of them, and what is said of the rest."""

import io
import stat
import struct
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.expanding import archive
from streams.expanding.archive import Limits
from streams.expanding.trouble import Trouble

LIMITS = Limits(files=1000, bytes=10**8, unpacked_bytes=10**8, file_bytes=10**7)


def written(folder: Path, content: bytes) -> Path:
    path = folder / "archive.zip"
    path.write_bytes(content)
    return path


def zipped(*names: str, content: bytes = b"text") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
        for name in names:
            made.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def judged(folder: Path, content: bytes, limits: Limits = LIMITS) -> dict[str, str | None]:
    found = archive.members(written(folder, content), limits)
    return {each.path: each.trouble.code if each.trouble else None for each in found}


def refused(folder: Path, content: bytes, limits: Limits = LIMITS) -> Trouble:
    with pytest.raises(Trouble) as caught:
        archive.members(written(folder, content), limits)
    return caught.value


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("a/b.txt", None),
        ("a..b/c.txt", None),
        ("../a.txt", "path_outside"),
        ("a/../../b.txt", "path_outside"),
        ("/etc/passwd", "path_outside"),
        ("C:/a.txt", "path_outside"),
        ("a\\..\\..\\b.txt", "path_outside"),
        ("x" * 1025, "path_too_long"),
        ("inner.ZIP", "nested_archive"),
    ],
)
def test_paths_are_judged(tmp_path: Path, name: str, code: str | None) -> None:
    """What leads out of the archive, is too long or an archive itself becomes no document."""
    assert list(judged(tmp_path, zipped(name)).values()) == [code]


def test_names_that_stand_twice_are_told_apart(tmp_path: Path) -> None:
    """The second and the third get a number, none that another file has already."""
    with pytest.warns(UserWarning, match="Duplicate name"):
        content = zipped("a.txt", "a.txt#2", "a.txt", "a.txt")

    assert list(judged(tmp_path, content)) == ["a.txt", "a.txt#2", "a.txt#3", "a.txt#4"]


def test_folders_and_litter_are_passed_over(tmp_path: Path) -> None:
    """What file managers add by themselves is none of the documents that were meant."""
    content = zipped("a/", "__MACOSX/._a.txt", "a/.DS_Store", "a/b.txt")

    assert list(judged(tmp_path, content)) == ["a/b.txt"]


def test_an_encrypted_file_stops_no_other(tmp_path: Path) -> None:
    """It says that it has a password; the one beside it is taken."""
    content = bytearray(zipped("a.txt", "b.txt"))
    place = content.index(b"PK\x01\x02")
    content[place + 8] |= 1

    assert judged(tmp_path, bytes(content)) == {"a.txt": "encrypted", "b.txt": None}


def test_a_link_is_no_file(tmp_path: Path) -> None:
    """A symbolic link in an archive is not followed."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        info = zipfile.ZipInfo("a.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        made.writestr(info, b"/etc/passwd")

    assert judged(tmp_path, target.getvalue()) == {"a.txt": "not_a_file"}


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A file packed 1:1000 is refused by its directory; many of them refuse the archive."""
    one = zipped("a.txt", content=bytes(2_000_000))
    many = zipped(*(f"{n}.txt" for n in range(60)), content=bytes(2_000_000))

    assert judged(tmp_path, one) == {"a.txt": "archive_bomb"}
    assert refused(tmp_path, many).code == "archive_bomb"


def test_a_large_file_is_refused_alone(tmp_path: Path) -> None:
    """One above the limit of documents becomes none."""
    limits = Limits(files=10, bytes=1000, unpacked_bytes=1000, file_bytes=3)

    assert judged(tmp_path, zipped("a.txt"), limits) == {"a.txt": "too_large"}


def test_too_many_files_refuse_the_archive(tmp_path: Path) -> None:
    """An archive of 100,000 files says how many it may have."""
    trouble = refused(tmp_path, zipped(*(f"{n}" for n in range(100_000)), content=b""))

    assert trouble.code == "too_many_files"
    assert "1,000" in trouble.detail


@pytest.mark.parametrize("form", ["narrow", "wide"])
def test_a_directory_that_would_fill_the_memory(tmp_path: Path, form: str) -> None:
    """Its size is looked at before it is read, in both forms that it can have."""
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**31, 0, 0)
    if form == "wide":
        record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 2**40, 0)
        locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, 0, 1)
        small = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 46, 0, 0)
        end = record + locator + small

    assert refused(tmp_path, end).code == "too_many_files"


def test_a_wide_record_without_its_locator_does_not_count(tmp_path: Path) -> None:
    """`zipfile` passes over it, so a small one cannot stand for the directory that it reads."""
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, 1, 1, 46, 0)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, 2**31, 0, 0)

    assert refused(tmp_path, record + bytes(20) + end).code == "too_many_files"


@pytest.mark.parametrize("packing", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_unpacks_without_a_bound_is_refused(tmp_path: Path, packing: int) -> None:
    """A member that is packed with bzip2 or LZMA is not unpacked; the one beside it is taken."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr("a.txt", b"text", packing)
        made.writestr("b.txt", b"text", zipfile.ZIP_DEFLATED)

    found = judged(tmp_path, target.getvalue())
    assert found == {"a.txt": "unsupported_compression", "b.txt": None}


@given(st.binary(max_size=300), st.integers(0, 400))
def test_damaged_archives(tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int) -> None:
    """Whatever bytes are in it, an archive is read or refused with a reason."""
    content = bytearray(zipped("a.txt", "b.txt", "c.txt"))
    content[at : at + len(noise)] = noise
    folder = tmp_path_factory.mktemp("noise")
    path = written(folder, bytes(content))
    with suppress(Trouble):
        for member in archive.members(path, LIMITS):
            with zipfile.ZipFile(path) as opened:
                archive.unpack(opened, member, folder / "out")

    assert {each.name for each in folder.iterdir()} <= {"archive.zip", "out"}


def test_a_damaged_member(tmp_path: Path) -> None:
    """A file whose bytes do not fit their checksum is refused when it is unpacked."""
    content = bytearray(zipped("a.txt", content=b"some text of a document"))
    content[40] ^= 0xFF
    path = written(tmp_path, bytes(content))
    [member] = archive.members(path, LIMITS)

    with zipfile.ZipFile(path) as opened, pytest.raises(Trouble) as caught:
        archive.unpack(opened, member, tmp_path / "out")
    assert caught.value.code == "corrupt"


def test_a_member_whose_place_is_beyond_all_files(tmp_path: Path) -> None:
    """It fails alone, whatever `zipfile` raises for the place that its directory says."""
    path = written(tmp_path, zipped("a.txt", "b.txt"))
    first, second = archive.members(path, LIMITS)
    codes = []
    with zipfile.ZipFile(path) as opened:
        for place in (-1, 2**40, 2**64 - 1):
            first.info.header_offset = place
            with pytest.raises(Trouble) as caught:
                archive.unpack(opened, first, tmp_path / "out")
            codes.append(caught.value.code)
        archive.unpack(opened, second, tmp_path / "out")

    assert codes == ["corrupt"] * 3
    assert (tmp_path / "out").read_bytes() == b"text"


def test_a_member_whose_name_is_no_text(tmp_path: Path) -> None:
    """A name that claims to be UTF-8 and is not is damage of this one file."""
    content = bytearray(zipped("ü.txt"))
    content[30] = 0xFF
    path = written(tmp_path, bytes(content))
    [member] = archive.members(path, LIMITS)

    with zipfile.ZipFile(path) as opened, pytest.raises(Trouble) as caught:
        archive.unpack(opened, member, tmp_path / "out")
    assert caught.value.code == "corrupt"


def test_a_full_disk_is_no_damage(tmp_path: Path) -> None:
    """What fails in the writing is not said of the sender's file."""
    path = written(tmp_path, zipped("a.txt"))
    [member] = archive.members(path, LIMITS)

    with zipfile.ZipFile(path) as opened, pytest.raises(IsADirectoryError):
        archive.unpack(opened, member, tmp_path)

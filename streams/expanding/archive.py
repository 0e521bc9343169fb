"""ZIP files of documents: judged by their directory before anything of them is unpacked.

The sizes are those of the directory. Of members that are stored or deflated `zipfile` never unpacks
more than they say, so a directory that lies yields a damaged member and not a larger one. Others
(bzip2, LZMA) it unpacks without a bound, so they are refused.
"""

import lzma
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from streams.expanding.trouble import Trouble
from streams.parsing.limits import MEBIBYTE
from streams.settings import Settings

_ENTRY_BYTES: Final = 512
"""Of the directory, for each file that is allowed: its 46 bytes, its name and what else is said."""
_END: Final = b"PK\x05\x06"
_END_BYTES: Final = 22
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_BYTES: Final = 20
_WIDE_END: Final = b"PK\x06\x06"
_WIDE_BYTES: Final = 56 + _LOCATOR_BYTES
"""The end record with eight bytes a number, and its locator; both stand before the other one."""
_COMMENT_BYTES: Final = 65_535
_CHUNK_BYTES: Final = 256 * 1024
_PATH_CHARACTERS: Final = 1024
_JUNK: Final = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")
"""What file managers leave in archives beside the files that were meant."""
_BOUNDED: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The ways of packing whose members are unpacked a piece at a time."""
_DAMAGE: Final = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""All that `zipfile` raises for damage; `UnicodeDecodeError` and `NotImplementedError` are among
them."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one archive: its files, its bytes, all bytes unpacked, and those of one file."""

    files: int
    bytes: int
    unpacked_bytes: int
    file_bytes: int
    ratio: int = 200


def limits(settings: Settings) -> Limits:
    """Returns: the bounds that the settings say."""
    return Limits(
        files=settings.max_archive_files,
        bytes=settings.max_archive_bytes,
        unpacked_bytes=settings.max_unpacked_bytes,
        file_bytes=settings.max_document_bytes,
    )


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive; `path` is its name there, made different where two have the same one.

    `trouble` says why it cannot become a document.
    """

    number: int
    path: str
    info: zipfile.ZipInfo
    trouble: Trouble | None = None


def members(path: Path, bounds: Limits) -> list[Member]:
    """Returns: the files of an archive, in the order of its directory; folders are left out.

    Raises: Trouble: it is no archive, or has more in it than the limits allow.
    """
    _check_directory(path, bounds)
    try:
        with zipfile.ZipFile(path) as archive:
            found = [info for info in archive.infolist() if not _is_passed_over(info)]
    except _DAMAGE as error:
        raise _damaged() from error
    if len(found) > bounds.files:
        raise _too_many(f"{len(found):,}", bounds)
    total = sum(info.file_size for info in found)
    if total > bounds.unpacked_bytes:
        detail = f"The archive unpacks to {total // MEBIBYTE:,} MiB, more than is unpacked."
        raise Trouble("archive_bomb", detail)
    return list(_judged(found, bounds))


def unpack(archive: zipfile.ZipFile, member: Member, target: Path) -> None:
    """Write a member's bytes to a file. Raises: Trouble: it is damaged."""
    with target.open("wb") as file:
        for chunk in _chunks(archive, member.info):
            file.write(chunk)


def _chunks(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yields: a member's bytes; apart from their writing, whose errors are no damage of it."""
    try:
        with archive.open(info) as source:
            while chunk := source.read(_CHUNK_BYTES):
                yield chunk
    except _DAMAGE as error:
        detail = "The file is damaged within the archive, or packed in a way that is not read."
        raise Trouble("corrupt", detail) from error


def _check_directory(path: Path, bounds: Limits) -> None:
    """Refuse a directory that would fill the memory, which `zipfile` reads as a whole.

    Raises: Trouble: it is too large, or there is none.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        file.seek(max(0, size - _COMMENT_BYTES - _END_BYTES - _WIDE_BYTES))
        tail = file.read()
    place = tail.rfind(_END)
    if place < 0 or len(tail) - place < _END_BYTES:
        raise _damaged()
    if _directory_bytes(tail, place) > bounds.files * _ENTRY_BYTES:
        raise _too_many("too many", bounds)


def _directory_bytes(tail: bytes, place: int) -> int:
    """Returns: the size of the directory whose end record is at `place`.

    Source: APPNOTE.TXT 6.3.10, 4.3.14 to 4.3.16,
    https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
    """
    wide, locator = place - _WIDE_BYTES, place - _LOCATOR_BYTES
    # Without its locator `zipfile` passes over the wide record, and so must what judges for it.
    is_wide = tail.startswith(_WIDE_END, wide) and tail.startswith(_LOCATOR, locator)
    if wide >= 0 and is_wide:
        return int.from_bytes(tail[wide + 40 : wide + 48], "little")
    return int.from_bytes(tail[place + 12 : place + 16], "little")


def _too_many(count: str, bounds: Limits) -> Trouble:
    detail = f"The archive holds {count} files; one with at most {bounds.files:,} is taken."
    return Trouble("too_many_files", f"{detail} Send it in parts.")


def _damaged() -> Trouble:
    return Trouble("corrupt", "The archive is damaged, or is no ZIP file.")


def _is_passed_over(info: zipfile.ZipInfo) -> bool:
    name = info.filename
    return info.is_dir() or name.startswith(_JUNK[0]) or name.rpartition("/")[2] in _JUNK[1:]


def _judged(found: list[zipfile.ZipInfo], bounds: Limits) -> Iterator[Member]:
    taken: set[str] = set()
    seen: dict[str, int] = {}
    for number, info in enumerate(found):
        name = info.filename.replace("\\", "/")[:_PATH_CHARACTERS]
        path = name
        while path in taken:
            seen[name] = seen.get(name, 1) + 1
            path = f"{name}#{seen[name]}"
        taken.add(path)
        yield Member(number, path, info, _trouble(info, name, bounds))


def _trouble(info: zipfile.ZipInfo, name: str, bounds: Limits) -> Trouble | None:
    """Returns: the first reason why a member cannot become a document."""
    ratio = info.file_size / max(info.compress_size, 1)
    outside = name.startswith("/") or name[1:2] == ":" or ".." in name.split("/")
    reasons = (
        (outside, "path_outside", "Its path leads out of the archive."),
        (
            len(info.filename) > _PATH_CHARACTERS,
            "path_too_long",
            f"Its path has more than {_PATH_CHARACTERS} characters.",
        ),
        (stat.S_ISLNK(info.external_attr >> 16), "not_a_file", "It is a link to another file."),
        (info.flag_bits & 1, "encrypted", "It is protected by a password; send it without one."),
        (
            info.compress_type not in _BOUNDED,
            "unsupported_compression",
            "It is packed in a way that is not read; pack it with Deflate.",
        ),
        (
            name.lower().endswith(".zip"),
            "nested_archive",
            "It is an archive within the archive; unpack it.",
        ),
        (
            info.file_size > bounds.file_bytes,
            "too_large",
            f"It has more than {bounds.file_bytes} bytes.",
        ),
        (
            info.file_size > MEBIBYTE and ratio > bounds.ratio,
            "archive_bomb",
            f"It is packed 1:{ratio:,.0f}, as no document is.",
        ),
    )
    return next((Trouble(code, detail) for true, code, detail in reasons if true), None)

"""ZIP containers judged before they are unpacked: how many members, how large, how packed."""

import zipfile
import zlib
from pathlib import Path

from streams.parsing.errors import Code, Unparsable
from streams.parsing.limits import MEBIBYTE, Limits

DTD_WINDOW_BYTES = 8_192
BOUNDED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""The ways of packing that office files have, and that are unpacked a piece at a time."""
XML_SUFFIXES = (".xml", ".rels")


def check(path: Path, limits: Limits) -> None:
    """Refuse a ZIP file that would unpack to more than the limits, or whose XML declares entities.

    The sizes are those of the central directory. Of members that are stored or deflated `zipfile`
    never unpacks more than they say, so a directory that lies yields a damaged member and not a
    larger one. Others (bzip2, LZMA) it unpacks without a bound, so they are refused.

    Raises:
        Unparsable: archive_bomb, encrypted, unsupported_compression or corrupt.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_sizes(members, limits)
            for member in members:
                if _is_xml(member):
                    _check_no_dtd(archive, member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, OSError, ValueError):
        raise damaged() from None


def damaged() -> Unparsable:
    """Return the error for a container that cannot be opened."""
    return Unparsable(
        Code.CORRUPT,
        "The document's container is damaged; save it again or upload an undamaged copy.",
    )


def _check_sizes(members: list[zipfile.ZipInfo], limits: Limits) -> None:
    if len(members) > limits.max_archive_members:
        raise _bomb(f"holds {len(members):,} files")
    total = sum(member.file_size for member in members)
    if total > limits.max_archive_bytes:
        raise _bomb(f"unpacks to {total // MEBIBYTE:,} MiB")
    for member in members:
        if member.flag_bits & 1:
            raise Unparsable(
                Code.ENCRYPTED,
                "The document is protected by a password; upload a copy without one.",
            )
        if member.compress_type not in BOUNDED:
            raise Unparsable(
                Code.UNSUPPORTED_COMPRESSION,
                "The document is packed in a way that is not read; save it again with a word"
                " processor.",
            )
        if member.file_size > limits.max_member_bytes and _is_xml(member):
            raise _bomb(f"holds a part of {member.file_size // MEBIBYTE:,} MiB")
        ratio = member.file_size / max(member.compress_size, 1)
        if member.file_size > MEBIBYTE and ratio > limits.max_archive_ratio:
            raise _bomb(f"holds a part packed 1:{ratio:,.0f}")


def _is_xml(member: zipfile.ZipInfo) -> bool:
    return member.filename.lower().endswith(XML_SUFFIXES)


def _bomb(what: str) -> Unparsable:
    return Unparsable(
        Code.ARCHIVE_BOMB,
        f"The document {what}, more than is unpacked; save it again with a word processor.",
    )


def _check_no_dtd(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse a document type: office files have none, it is there to expand or load something."""
    with archive.open(member) as part:
        head = part.read(DTD_WINDOW_BYTES)
    if b"<!DOCTYPE" in head.replace(b"\0", b"") or b"<!ENTITY" in head.replace(b"\0", b""):
        raise Unparsable(
            Code.ARCHIVE_BOMB,
            "The document's XML declares entities, which no word processor writes;"
            " save it again with one.",
        )

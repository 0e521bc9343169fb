"""Looks through a folder before anything of it is sent, so that a torn one changes nothing."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from cli.errors import Failure
from cli.transfer.layout import (
    COLLECTIONS,
    DOCUMENTS,
    SETTINGS,
    TYPES,
    CollectionLine,
    DocumentLine,
    Json,
    Manifest,
    ObjectLine,
    TypeLine,
    objects_of,
)
from cli.transfer.reading import Line, lines, manifest, place, sha256
from schemas.api.collections import CollectionInput

Only = Literal["collections", "documents"]


@dataclass(slots=True)
class Content:
    """What a folder holds; objects stay on disk and are only counted."""

    root: Path
    manifest: Manifest
    collections: list[Json] = field(default_factory=list)
    objects: int = 0
    twins: dict[str, dict[int, int]] = field(default_factory=dict)
    """Lines whose key stands in an earlier line of the same end user already, by file."""
    types: list[TypeLine] = field(default_factory=list)
    documents: list[DocumentLine] = field(default_factory=list)
    attached: int = 0
    fileless: int = 0


def checked(root: Path, only: Only | None) -> Content:
    """Returns: what the folder holds of what is wanted.

    Raises:
        Failure: something is missing, torn, or not as an export writes it.
    """
    content = Content(root, manifest(root))
    if only != "documents":
        _check_collections(content)
    if only != "collections":
        _check_documents(content)
    return content


def _check_collections(content: Content) -> None:
    root = content.root
    number = 0
    for number, one in enumerate(lines(root, COLLECTIONS, CollectionLine), 1):
        settings: Json = {name: one.value[name] for name in SETTINGS if name in one.value}
        try:
            CollectionInput.model_validate(settings)
        except ValidationError as error:
            reason = error.errors(include_url=False, include_context=False, include_input=False)
            raise Failure(f"{root / COLLECTIONS}, line {number}: {reason[0]['msg']}") from None
        content.collections.append(settings)
        content.objects += _check_objects(content, objects_of(one.read.name))
    _check_count(content, COLLECTIONS, number)


def _check_objects(content: Content, name: str) -> int:
    number = 0
    seen: dict[tuple[str, str | None], int] = {}
    for number, one in enumerate(lines(content.root, name, ObjectLine), 1):
        if one.read.key is None:
            continue
        first = seen.setdefault((one.read.key, one.read.subject), number)
        if first != number:
            content.twins.setdefault(name, {})[number] = first
    _check_count(content, name, number)
    return number


def _check_documents(content: Content) -> None:
    root = content.root
    content.types = [one.read for one in lines(root, TYPES, TypeLine)]
    _check_count(content, TYPES, len(content.types))
    found = list(lines(root, DOCUMENTS, DocumentLine))
    _check_count(content, DOCUMENTS, len(found))
    ids = {one.read.document_id for one in found}
    # A list of documents has the newest first; they come in again about as they came in.
    for one in reversed(found):
        if one.read.parent_id in ids:
            content.attached += 1
        elif one.read.file is None:
            content.fileless += 1
        else:
            _check_file(root, one, one.read.file)
            content.documents.append(one.read)


def _check_file(root: Path, one: Line[DocumentLine], name: str) -> None:
    path = place(root, name)
    if one.read.sha256 is not None and sha256(path) != one.read.sha256:
        raise Failure(f"{path} is not the file that was exported; its SHA-256 differs")


def _check_count(content: Content, name: str, found: int) -> None:
    expected = content.manifest.lines.get(name)
    if found != expected:
        raise Failure(
            f"{content.root / name} has {found} lines, and the manifest says {expected}; copy the "
            "whole folder, or correct the manifest where you changed the file on purpose"
        )

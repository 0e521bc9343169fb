"""What comes in for a batch, as JSON or as a form; bytes and manifests go to the object store."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from pydantic import TypeAdapter, ValidationError

from gateway.batches import Piece, Target, described
from gateway.errors import Forbidden, InvalidInput, Malformed
from gateway.forms import FIELD_BYTES, Form, Rules
from gateway.invalid import invalid_input
from gateway.uploads import UNPRINTABLE, decoded, new_key, once, put, safe_name
from schemas.api.batches import BatchAddition, BatchDocument, DocumentData, ManifestLine
from schemas.batches import MAX_ENTRIES, Archive, Many, Prefix
from schemas.messages import Link, StoredFile

Given = TypeVar("Given", bound=BatchAddition)

_ARCHIVE: Final = "archive"
_MANIFEST: Final = "manifest"
_PATH_CHARS: Final = 1024
_TEXTS: Final = frozenset({"name", "metadata", "defaults", "close", _MANIFEST})
_IN_JSON: Final = frozenset({"metadata", "defaults", "close"})
_LINES: Final = TypeAdapter(list[ManifestLine])


@dataclass(slots=True)
class Taken(Generic[Given]):
    """What a call has said, and its archives and prefixes; its documents are in the target.

    `said` is what the fingerprint must know of them: a repeat stores them under other keys.
    """

    given: Given
    many: list[Many] = field(default_factory=list)
    said: list[Any] = field(default_factory=list)


async def take_json(target: Target, body: bytes, model: type[Given]) -> Taken[Given]:
    """Read a JSON body; what is in base64 goes to the object store.

    Raises:
        Malformed, InvalidInput: it cannot be used; nothing is kept of it.
        Forbidden: an end user names objects of the bucket.
        Unavailable: the object store failed.
    """
    try:
        taken = Taken(model.model_validate_json(body))
    except ValidationError as error:
        raise _refused(error) from error
    given = taken.given
    if target.call.principal.subject is not None and _names_objects(given):
        raise Forbidden("what is in the bucket may be other people's; send files or links")
    try:
        for number, one in enumerate(given.documents):
            await _add(target, one, f"/documents/{number}/content_base64")
        sources: list[Archive | Prefix] = []
        if given.s3_prefix is not None:
            sources.append(Prefix(prefix=given.s3_prefix))
        if given.archive_key is not None:
            sources.append(Archive(key=given.archive_key))
        for source in sources:
            taken.many.append(await _many(target, source, given.defaults, given.manifest))
            taken.said.append([source.model_dump(), _dumped(given.manifest)])
    except BaseException:
        await asyncio.shield(target.discard())
        raise
    return taken


async def take_form(
    target: Target, stream: AsyncIterator[bytes], content_type: str, model: type[Given]
) -> Taken[Given]:
    """Read a form: files and an archive go to the object store as they come.

    Raises:
        Malformed, InvalidInput, TooLarge: it cannot be used; nothing is kept of it.
        Unavailable: the object store failed.
    """
    form = _BatchForm(target, stream, content_type, frozenset(model.model_fields))
    try:
        await form.form.read()
        taken = Taken(_fields(form.form.fields, model))
        rest = form.unused_lines()
        if form.archive is not None:
            source = Archive(key=form.archive[0])
            taken.many.append(await _many(target, source, taken.given.defaults, rest))
            taken.said.append([form.archive[1], _dumped(rest)])
        else:
            _check_named(rest)
    except BaseException:
        await asyncio.shield(target.discard())
        raise
    return taken


def _names_objects(given: BatchAddition) -> bool:
    named = (given.s3_prefix, given.archive_key, *(one.s3_key for one in given.documents))
    return any(one is not None for one in named)


async def _add(target: Target, one: BatchDocument, pointer: str) -> None:
    key, name = one.key or target.next_key(), safe_name(one.filename)
    source: StoredFile | Link
    if one.file_url is not None:
        source, what = Link(url=one.file_url), one.file_url
    elif one.s3_key is not None:
        source, what = StoredFile(key=one.s3_key), one.s3_key
    else:
        content = decoded(one.content_base64 or "", pointer)
        source, what = await _stored(target, key, once(content))
    target.pieces.append(Piece(source, what, one.path or name, name, key, one))


async def _stored(target: Target, key: str, chunks: AsyncIterator[bytes]) -> tuple[StoredFile, str]:
    document_id = target.document(key).document_id
    stored = await put(target.state, new_key(target.call, document_id), chunks)
    target.stored.append(stored.key)
    return StoredFile(key=stored.key), stored.sha256


async def _many(
    target: Target,
    source: Archive | Prefix,
    defaults: DocumentData | None,
    lines: Sequence[ManifestLine],
) -> Many:
    manifest_key = None
    if lines:
        manifest_key = target.store_key("manifest.jsonl")
        text = "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in _dumped(lines))
        await put(target.state, manifest_key, once(text.encode()))
        target.stored.append(manifest_key)
    return Many(source=source, defaults=described(defaults), manifest_key=manifest_key)


def _dumped(lines: Iterable[ManifestLine]) -> list[dict[str, Any]]:
    # Files of archives and prefixes get their keys from where they are.
    return [line.model_dump(exclude_none=True, exclude={"key"}) for line in lines]


class _BatchForm:
    """Keeps the files of one form; `archive` is the archive's key and hash once it is there."""

    def __init__(
        self,
        target: Target,
        stream: AsyncIterator[bytes],
        content_type: str,
        fields: frozenset[str],
    ) -> None:
        self.archive: tuple[str, str] | None = None
        limits = dict.fromkeys(_TEXTS & fields, FIELD_BYTES)
        limits[_MANIFEST] = target.state.settings.max_json_upload_bytes
        rules = Rules(
            limits,
            first=frozenset({_MANIFEST}),
            files=frozenset({"files", "file", _ARCHIVE}),
            max_files=MAX_ENTRIES,
            taken="files, and a ZIP archive archive",
        )
        self.form = Form(stream, content_type, rules, self._keep)
        self._target = target
        self._lines: dict[str, ManifestLine] | None = None
        self._used: set[str] = set()

    def unused_lines(self) -> list[ManifestLine]:
        """Returns: the lines of the manifest that name none of the files."""
        return [line for path, line in self._manifest().items() if path not in self._used]

    def _manifest(self) -> dict[str, ManifestLine]:
        if self._lines is None:
            self._lines = _manifest(self.form.fields.get(_MANIFEST, ""))
        return self._lines

    async def _keep(self, part: str, filename: str, chunks: AsyncIterator[bytes]) -> None:
        target = self._target
        if part == _ARCHIVE:
            await self._keep_archive(chunks)
            return
        path = _clean(filename)
        line = self._manifest().get(path, ManifestLine(path="-"))
        self._used.add(path)
        key = line.key or target.next_key()
        source, what = await _stored(target, key, chunks)
        target.pieces.append(Piece(source, what, path or None, safe_name(filename), key, line))

    async def _keep_archive(self, chunks: AsyncIterator[bytes]) -> None:
        if self.archive is not None:
            raise InvalidInput.at("/archive", "stands twice; send one archive a call")
        key = self._target.store_key("archive.zip")
        stored = await put(self._target.state, key, chunks)
        self._target.stored.append(key)
        self.archive = key, stored.sha256


def _clean(path: str) -> str:
    """Returns: a file's path as it is kept: printable, and no longer than it may be."""
    return UNPRINTABLE.sub("", path).strip()[:_PATH_CHARS]


def _manifest(text: str) -> dict[str, ManifestLine]:
    """Returns: the lines of a manifest by path, from a JSON list or JSON Lines."""
    whole = text.strip()
    if not whole.startswith("["):
        # Not `splitlines`: to that, U+2028 and others that JSON strings may hold end a line too.
        filled = [line for line in whole.split("\n") if line.strip()]
        whole = f"[{','.join(filled)}]"
    try:
        lines = _LINES.validate_json(whole)
    except ValidationError as error:
        raise _refused(error, _MANIFEST) from error
    found = {_clean(line.path): line for line in lines}
    if len(found) != len(lines):
        raise InvalidInput.at("/manifest", "a path comes twice; say everything of it in one line")
    return found


def _check_named(unused: Sequence[ManifestLine]) -> None:
    if unused:
        detail = f"names no file of this call: {unused[0].path[:100]!r}; send it with its file"
        raise InvalidInput.at("/manifest", detail)


def _fields(texts: dict[str, str], model: type[Given]) -> Given:
    values: dict[str, Any] = {}
    for name, text in texts.items():
        if not text or name == _MANIFEST:
            continue
        try:
            values[name] = json.loads(text) if name in _IN_JSON else text
        except (ValueError, RecursionError) as error:
            raise InvalidInput.at(f"/{name}", "is not JSON") from error
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise _refused(error) from error


def _refused(error: ValidationError, *place: str) -> Exception:
    found = error.errors(include_url=False, include_context=False, include_input=False)
    if found[0]["type"] == "json_invalid":
        name = place[0] if place else "body"
        return Malformed(f"the {name} is not JSON; check it with a JSON parser")
    return invalid_input([{**one, "loc": (*place, *one["loc"])} for one in found])

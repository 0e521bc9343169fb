"""Takes documents in: bytes to the object store first, then one record for each document."""

import asyncio
import base64
import binascii
import functools
import json
import re
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from pydantic import ValidationError

from gateway import multipart
from gateway.deps import Call
from gateway.errors import EmptyFile, GatewayError, InvalidInput, Malformed
from gateway.invalid import invalid_input
from gateway.multipart import Begin, Data, End, Event
from gateway.state import State
from gateway.storage import Stored
from gateway.submission import Claim, Order, claim, fingerprint, submit
from schemas.api.documents import UploadInput, UploadOptions
from schemas.api.requests import RequestState, UploadItem
from schemas.messages import Link, ProcessDocument, StoredFile
from schemas.states import Status
from schemas.topics import PROCESS_DOCUMENT

_FILE_PARTS: Final = frozenset({"file", "files"})
_FIELD_BYTES: Final = 128 * 1024
_NAME_CHARS: Final = 255
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Taken:
    """One file: where its bytes are, or why they are not taken."""

    filename: str | None
    claim: Claim | None
    source: StoredFile | Link | None
    sha256: str | None
    error: GatewayError | None


async def take_form(
    state: State, call: Call, stream: AsyncIterator[bytes], content_type: str
) -> tuple[list[Taken], UploadOptions]:
    """Read a multipart body: each file goes to the object store as it comes.

    Returns: the files in their order, and what was said of all of them.

    Raises:
        Malformed, InvalidInput, TooLarge: the body cannot be used; nothing is kept of it.
    """
    form = _Form(state, call, multipart.events(stream, multipart.boundary_of(content_type)))
    try:
        await form.read()
        return form.files, _options(form.fields)
    except BaseException:
        await asyncio.shield(discard(state, form.files))
        raise


async def take_json(state: State, call: Call, body: bytes) -> tuple[Taken, UploadOptions]:
    """Read a JSON body: a link, or bytes in base64, which go to the object store.

    Returns: the file, and what was said of it.

    Raises:
        Malformed, InvalidInput: the body cannot be used.
    """
    try:
        wanted = UploadInput.model_validate_json(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        if found[0]["type"] == "json_invalid":
            raise Malformed("the body is not JSON; check it with a JSON parser") from error
        raise invalid_input(found) from error
    if wanted.idempotency_key is not None:
        call = replace(call, idempotency_key=wanted.idempotency_key)
    claimed = claim(state, call)
    name = safe_name(wanted.filename)
    if wanted.file_url is not None:
        return Taken(name, claimed, Link(url=wanted.file_url), None, None), wanted
    content = _decoded(wanted.content_base64 or "")
    stored = await state.storage.put(_new_key(call, claimed), _once(content))
    return Taken(name, claimed, StoredFile(key=stored.key), stored.sha256, None), wanted


async def enter(state: State, call: Call, taken: Taken, options: UploadOptions) -> RequestState:
    """Publish one file's request and wait for it, as long as options or call say; default 0 s.

    Raises:
        GatewayError: the file was not taken, or its request could not be published.
    """
    if taken.error is not None or taken.claim is None or taken.source is None:
        raise taken.error or GatewayError("the file was not taken")
    if options.wait_s is not None:
        call = replace(call, wait_s=options.wait_s)
    claimed = taken.claim
    if options.correlation_id is not None:
        claimed = replace(claimed, correlation_id=options.correlation_id)
    described = options.model_dump(include={"title", "metadata", "type"})
    what = taken.sha256 or taken.source.model_dump()
    order = Order(
        topic=PROCESS_DOCUMENT,
        key=claimed.document_id,
        message=ProcessDocument(
            source=taken.source,
            document_id=claimed.document_id,
            filename=taken.filename,
            title=options.title,
            metadata=options.metadata or {},
            type=options.type,
        ),
        fingerprint=fingerprint(call, {**described, "name": taken.filename, "content": what}),
        document_id=claimed.document_id,
        unused=functools.partial(discard, state, [taken]),
    )
    return await submit(state, call, claimed, order, default_wait_s=0.0)


async def enter_each(
    state: State, call: Call, files: Sequence[Taken], options: UploadOptions
) -> list[UploadItem]:
    """Publish the requests of several files; each has its own outcome, in the same order."""
    return list(await asyncio.gather(*(_item(state, call, one, options) for one in files)))


async def _item(state: State, call: Call, taken: Taken, options: UploadOptions) -> UploadItem:
    try:
        found = await enter(state, call, taken, options)
    except GatewayError as error:
        problem = error.problem()
        return UploadItem(
            filename=taken.filename,
            request_id=None,
            document_id=None,
            status=Status.FAILED,
            status_url=None,
            retry_after_s=problem.retry_after_s,
            expected_wait_s=None,
            correlation_id=options.correlation_id or call.correlation_id,
            result=None,
            problem=problem,
        )
    kept = found.model_dump(include=set(UploadItem.model_fields))
    return UploadItem(filename=taken.filename, **{**kept, "problem": found.problem})


async def discard(state: State, files: Sequence[Taken]) -> None:
    """Remove the bytes of files that no record names."""
    for taken in files:
        if isinstance(taken.source, StoredFile):
            await state.storage.delete(taken.source.key)


def safe_name(name: str | None) -> str | None:
    """Returns: the last part of a file's name without control characters; none where empty."""
    last = re.split(r"[/\\]", name or "")[-1]
    return _UNPRINTABLE.sub("", last).strip()[:_NAME_CHARS] or None


class _Form:
    """Reads one form: files to the store, fields into a dict."""

    def __init__(self, state: State, call: Call, events: AsyncIterator[Event]) -> None:
        self.files: list[Taken] = []
        self.fields: dict[str, str] = {}
        self._state = state
        self._call = call
        self._events = events

    async def read(self) -> None:
        async for event in self._events:
            if not isinstance(event, Begin):
                continue
            if event.filename is None:
                await self._field(event.name)
            else:
                await self._file(event.name, event.filename)
        if not self.files:
            raise InvalidInput.at("/file", "is required; send at least one part named file")

    async def _field(self, name: str) -> None:
        if name not in UploadOptions.model_fields:
            raise InvalidInput.at(f"/{name[:64]}", "unknown field; remove it or correct its name")
        if name in self.fields:
            raise InvalidInput.at(f"/{name}", "stands twice; send it once")
        if name == "idempotency_key" and self.files:
            raise InvalidInput.at(f"/{name}", "must stand before the files")
        data = bytearray()
        async for chunk in self._part():
            data += chunk
            if len(data) > _FIELD_BYTES:
                raise InvalidInput.at(f"/{name}", f"is longer than {_FIELD_BYTES} bytes")
        try:
            self.fields[name] = data.decode()
        except UnicodeDecodeError as error:
            raise InvalidInput.at(f"/{name}", "is not UTF-8") from error

    async def _file(self, part: str, filename: str) -> None:
        if part not in _FILE_PARTS:
            raise InvalidInput.at(f"/{part[:64]}", "unknown field; name files file or files")
        number, name = len(self.files), safe_name(filename)
        if number >= self._state.settings.max_files:
            raise InvalidInput.at("/files", f"at most {number} files at once")
        key = self.fields.get("idempotency_key") or self._call.idempotency_key
        call = replace(self._call, idempotency_key=key)
        claimed = claim(self._state, call, number)
        chunks = self._part()
        try:
            stored = await self._put(_new_key(call, claimed), chunks)
        except GatewayError as error:
            # The others go on: what is left of this one is read over.
            async for _ in chunks:
                pass
            self.files.append(Taken(name, None, None, None, error))
        else:
            source = StoredFile(key=stored.key)
            self.files.append(Taken(name, claimed, source, stored.sha256, None))

    async def _put(self, key: str, chunks: AsyncIterator[bytes]) -> Stored:
        stored = await self._state.storage.put(key, chunks)
        self._state.metrics.uploaded_bytes.inc(stored.size_bytes)
        if stored.size_bytes == 0:
            await self._state.storage.delete(key)
            raise EmptyFile("the file is empty; send one with content")
        return stored

    async def _part(self) -> AsyncIterator[bytes]:
        async for event in self._events:
            if isinstance(event, Data):
                yield event.data
            elif isinstance(event, End):
                return


def _options(fields: Mapping[str, str]) -> UploadOptions:
    values: dict[str, Any] = {name: text for name, text in fields.items() if text}
    if "metadata" in values:
        try:
            values["metadata"] = json.loads(values["metadata"])
        except (ValueError, RecursionError) as error:
            raise InvalidInput.at("/metadata", "is not JSON; write an object in JSON") from error
    try:
        return UploadOptions.model_validate(values)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise invalid_input(found) from error


def _new_key(call: Call, claimed: Claim) -> str:
    # Each upload has a key of its own: a repeat can never overwrite what the first one named.
    return f"{call.principal.gpt_id}/documents/{claimed.document_id}/{uuid.uuid4().hex}/original"


def _decoded(content: str) -> bytes:
    try:
        decoded = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput.at("/content_base64", "is not base64 (RFC 4648)") from error
    if not decoded:
        raise EmptyFile("the file is empty; send one with content")
    return decoded


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content

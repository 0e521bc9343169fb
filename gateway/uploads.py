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

from gateway.deps import Call
from gateway.errors import EmptyFile, GatewayError, InvalidInput, Malformed
from gateway.forms import FIELD_BYTES, Form, Rules
from gateway.invalid import invalid_input
from gateway.state import State
from gateway.storage import Stored
from gateway.submission import Claim, Order, claim, fingerprint, submit
from schemas.api.documents import UploadInput, UploadOptions
from schemas.api.requests import RequestState, UploadItem
from schemas.messages import Link, ProcessDocument, StoredFile
from schemas.states import Status
from schemas.topics import PROCESS_DOCUMENT

_FILE_PARTS: Final = frozenset({"file", "files"})
_FIELDS: Final = dict.fromkeys(UploadOptions.model_fields, FIELD_BYTES)
_FIRST: Final = frozenset({"idempotency_key"})
_NAME_CHARS: Final = 255
UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


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
    files = _Files(state, call, stream, content_type)
    try:
        await files.read()
        return files.taken, _options(files.form.fields)
    except BaseException:
        await asyncio.shield(discard(state, files.taken))
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
    content = decoded(wanted.content_base64 or "", "/content_base64")
    stored = await put(state, new_key(call, claimed.document_id), once(content))
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
    return UNPRINTABLE.sub("", last).strip()[:_NAME_CHARS] or None


class _Files:
    """Keeps the files of one form, each under a claim of its own."""

    def __init__(
        self, state: State, call: Call, stream: AsyncIterator[bytes], content_type: str
    ) -> None:
        self.taken: list[Taken] = []
        rules = Rules(_FIELDS, _FIRST, _FILE_PARTS, state.settings.max_files, "file or files")
        self.form = Form(stream, content_type, rules, self._keep)
        self._state = state
        self._call = call

    async def read(self) -> None:
        """Read the form; it must have a file."""
        await self.form.read()
        if not self.taken:
            raise InvalidInput.at("/file", "is required; send at least one part named file")

    async def _keep(self, _: str, filename: str, chunks: AsyncIterator[bytes]) -> None:
        name = safe_name(filename)
        key = self.form.fields.get("idempotency_key") or self._call.idempotency_key
        call = replace(self._call, idempotency_key=key)
        claimed = claim(self._state, call, self.form.count)
        try:
            stored = await self._put(new_key(call, claimed.document_id), chunks)
        except GatewayError as error:
            # The others go on.
            self.taken.append(Taken(name, None, None, None, error))
        else:
            source = StoredFile(key=stored.key)
            self.taken.append(Taken(name, claimed, source, stored.sha256, None))

    async def _put(self, key: str, chunks: AsyncIterator[bytes]) -> Stored:
        stored = await put(self._state, key, chunks)
        if stored.size_bytes == 0:
            await self._state.storage.delete(key)
            raise EmptyFile("the file is empty; send one with content")
        return stored


async def put(state: State, key: str, chunks: AsyncIterator[bytes]) -> Stored:
    """Store a stream of bytes and count them. Raises: Unavailable: the object store failed."""
    stored = await state.storage.put(key, chunks)
    state.metrics.uploaded_bytes.inc(stored.size_bytes)
    return stored


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


def new_key(call: Call, document_id: str) -> str:
    """Returns: where to store an upload's bytes: each has a key of its own.

    So a repeat can never overwrite what the first one named.
    """
    return f"{call.principal.gpt_id}/documents/{document_id}/{uuid.uuid4().hex}/original"


def decoded(content: str, pointer: str) -> bytes:
    """Returns: the bytes of base64. Raises: InvalidInput: it is none; EmptyFile: there are none."""
    try:
        found = base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput.at(pointer, "is not base64 (RFC 4648)") from error
    if not found:
        raise EmptyFile("the file is empty; send one with content")
    return found


async def once(content: bytes) -> AsyncIterator[bytes]:
    """Yields: the content, for what takes streams."""
    yield content

"""Backups in the object store: a prefix each, which is a backup once its manifest is there.

S3 knows no renaming. So the manifest is written last, and a dump without one is no backup.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any, Final

import aiohttp
from botocore.exceptions import BotoCoreError, ClientError

from streams.backup.errors import BackupFailed, Missing
from streams.backup.manifest import DUMP, MANIFEST, NAME, REHEARSAL, VERDICT

PART_BYTES: Final = 16 * 1024**2
"""Of a dump in memory at a time. A service takes 10,000 parts, so dumps of 156 GiB; all parts but
the last have one size, because some services want that."""
_PARTS: Final = (MANIFEST, VERDICT, REHEARSAL, DUMP)
"""Of a backup, in the order in which they are deleted: without the first it is none."""
_READ_BYTES: Final = 8 * 1024**2
_MOST_PARTS: Final = 10_000
_GONE: Final = frozenset({"NoSuchKey", "404", "NotFound"})
_FAULTS: Final = (BotoCoreError, ClientError, aiohttp.ClientError, OSError)


class Bucket:
    """A prefix of a bucket; the bucket must be there."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - aiobotocore has no types
        bucket: str,
        prefix: str,
        *,
        part_bytes: int = PART_BYTES,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._part_bytes = part_bytes

    async def check(self) -> None:
        """Raises: BackupFailed: the bucket is missing, or the store refuses or is away."""
        with self._failures():
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _code(error) not in _GONE | {"NoSuchBucket"}:
                    raise
                raise BackupFailed(
                    f"the bucket {self._bucket} of ACTIONSTREAM_BACKUP_TARGET is missing: make it"
                ) from error

    async def write(self, name: str, part: str, chunks: AsyncIterator[bytes]) -> None:
        """Write an object of a backup; it appears whole or not at all.

        Raises: BackupFailed: the store refuses or is away; and whatever `chunks` raises.
        """
        upload = _Upload(self._client, {"Bucket": self._bucket, "Key": self._key(name, part)})
        buffer = bytearray()
        try:
            with self._failures():
                async for chunk in chunks:
                    buffer += chunk
                    while len(buffer) >= self._part_bytes:
                        await upload.send(bytes(memoryview(buffer)[: self._part_bytes]))
                        del buffer[: self._part_bytes]
                await upload.finish(bytes(buffer))
        except BaseException:
            await upload.abort()
            raise

    async def read(self, name: str, part: str) -> AsyncIterator[bytes]:
        """Yield the bytes of an object, in calls short enough for a reader that takes hours.

        Raises: Missing: there is none. BackupFailed: the store refuses or is away.
        """
        start, size = 0, 1
        while start < size:
            chunk, size = await self._range(name, part, start)
            start += len(chunk)
            yield chunk

    async def publish(self, name: str) -> None:
        """Do nothing: the manifest is there, so the backup is."""

    async def names(self) -> Sequence[str]:
        """Returns: the backups, the oldest first. Raises: BackupFailed."""
        await self.check()
        found = await self._found()
        return sorted(name for name, parts in found.items() if MANIFEST in parts)

    async def remove(self, name: str) -> None:
        """Delete a backup, finished or not; its manifest first. Raises: BackupFailed."""
        with self._failures():
            for part in _PARTS:
                await self._client.delete_object(Bucket=self._bucket, Key=self._key(name, part))

    async def sweep(self, before: datetime) -> Sequence[str]:
        """Delete what was begun and never became a backup, and was last written before a time.

        Returns: the names of what is deleted. Raises: BackupFailed.
        """
        left = {
            name
            for name, parts in (await self._found()).items()
            if MANIFEST not in parts and max(parts.values()) < before
        }
        for name in left:
            await self.remove(name)
        return sorted({*left, *await self._abort(before)})

    async def _abort(self, before: datetime) -> set[str]:
        """Take away the parts of uploads that were begun before a time. Returns: of which dumps."""
        aborted = set()
        with self._failures():
            pages = self._client.get_paginator("list_multipart_uploads")
            async for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for upload in page.get("Uploads", ()):
                    name = self._name(upload["Key"])
                    if name is not None and upload["Initiated"] < before:
                        where = {"Key": upload["Key"], "UploadId": upload["UploadId"]}
                        # It may have ended by itself since it was listed.
                        with suppress(self._client.exceptions.NoSuchUpload):
                            await self._client.abort_multipart_upload(Bucket=self._bucket, **where)
                        aborted.add(name)
        return aborted

    async def _range(self, name: str, part: str, start: int) -> tuple[bytes, int]:
        """Returns: the next bytes from `start` on, and the size of the whole."""
        key, end = self._key(name, part), start + _READ_BYTES - 1
        with self._failures():
            try:
                answer = await self._client.get_object(
                    Bucket=self._bucket, Key=key, Range=f"bytes={start}-{end}"
                )
            except ClientError as error:
                if _code(error) == "InvalidRange":
                    return b"", 0
                if _code(error) not in _GONE:
                    raise
                raise Missing(f"{part} of {name} is missing") from error
            async with answer["Body"] as body:
                chunk = await body.read()
        whole = str(answer.get("ContentRange", "")).rpartition("/")[2]
        return chunk, int(whole) if whole.isdigit() else len(chunk)

    async def _found(self) -> dict[str, dict[str, datetime]]:
        """Returns: when each object was written, by backup and by part."""
        found: dict[str, dict[str, datetime]] = {}
        with self._failures():
            pages = self._client.get_paginator("list_objects_v2")
            async for page in pages.paginate(Bucket=self._bucket, Prefix=self._prefix):
                for item in page.get("Contents", ()):
                    name = self._name(item["Key"])
                    if name is not None:
                        part = item["Key"].rpartition("/")[2]
                        found.setdefault(name, {})[part] = item["LastModified"]
        return found

    def _key(self, name: str, part: str) -> str:
        return f"{self._prefix}{name}/{part}"

    def _name(self, key: str) -> str | None:
        """Returns: the backup that an object belongs to; None where it is not ours."""
        name, _, part = key.removeprefix(self._prefix).partition("/")
        ours = NAME.fullmatch(name) and part in _PARTS
        return name if ours else None

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            reason = f"{_code(error)} for the bucket {self._bucket}"
            raise BackupFailed(f"the object store refuses: {reason}") from error
        except (BotoCoreError, aiohttp.ClientError, OSError) as error:
            reason = type(error).__name__
            raise BackupFailed(f"the object store does not answer: {reason}") from error


class _Upload:
    """One object on its way in: a single put, or parts once it has grown beyond one."""

    def __init__(self, client: Any, where: dict[str, str]) -> None:  # noqa: ANN401
        self._client = client
        self._where = where
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    async def send(self, content: bytes) -> None:
        """Send a part. Raises: BackupFailed: there are too many."""
        if self._upload_id is None:
            started = await self._client.create_multipart_upload(**self._where)
            self._upload_id = str(started["UploadId"])
        number = len(self._parts) + 1
        if number > _MOST_PARTS:
            raise BackupFailed(f"the dump has more than {_MOST_PARTS * len(content)} bytes")
        sent = await self._client.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=content
        )
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})

    async def finish(self, rest: bytes) -> None:
        """Send the rest; then the object is there."""
        if self._upload_id is None:
            await self._client.put_object(**self._where, Body=rest)
            return
        if rest:
            await self.send(rest)
        await self._client.complete_multipart_upload(
            **self._where, UploadId=self._upload_id, MultipartUpload={"Parts": self._parts}
        )

    async def abort(self) -> None:
        """Take away the parts that were sent; if that fails, `prune` does it a day later."""
        if self._upload_id is not None:
            with suppress(*_FAULTS):
                await self._client.abort_multipart_upload(**self._where, UploadId=self._upload_id)


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))

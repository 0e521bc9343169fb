"""The object store: uploads stream through at constant memory, originals stream out.

Bytes go in before the record that names them is published; what no record names is only waste.
"""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Self

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

from gateway.errors import NotFound, RangeNotSatisfiable, Unavailable
from gateway.settings import GatewaySettings

PART_BYTES: Final = 8 * 1024**2
"""Size of an upload's parts, and so the memory that one upload takes; S3 wants at least 5 MiB."""

_AWAY = "the object store cannot be reached; try again"
_FAULTS = (BotoCoreError, ClientError, HTTPClientError, OSError, TimeoutError)


@dataclass(frozen=True, slots=True)
class Stored:
    """What was put in the store."""

    key: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Original:
    """An object on its way out. `content_range` is set where it is a part."""

    chunks: AsyncIterator[bytes]
    length: int
    content_range: str | None


class Storage:
    """A client of one bucket; open it with `async with`."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._settings = settings
        self._bucket = settings.s3_bucket
        self._stack = contextlib.AsyncExitStack()
        self._client: Any = None

    async def __aenter__(self) -> Self:
        settings = self._settings
        key, secret = settings.s3_access_key, settings.s3_secret_key
        config = AioConfig(
            signature_version="s3v4",
            s3={"addressing_style": "path", "payload_signing_enabled": False},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            retries={"max_attempts": 3, "mode": "standard"},
            connect_timeout=3,
            read_timeout=settings.storage_timeout.total_seconds(),
            max_pool_connections=64,
        )
        client = get_session().create_client(
            "s3",
            endpoint_url=settings.s3_endpoint,
            region_name=settings.s3_region,
            aws_access_key_id=None if key is None else key.get_secret_value(),
            aws_secret_access_key=None if secret is None else secret.get_secret_value(),
            config=config,
        )
        self._client = await self._stack.enter_async_context(client)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    async def ping(self) -> None:
        """Ask for the bucket; raises botocore's errors."""
        await self._client.head_bucket(Bucket=self._bucket)

    async def put(self, key: str, chunks: AsyncIterator[bytes]) -> Stored:
        """Store a stream of bytes under `key`; a part at a time is in memory.

        Raises:
            Unavailable: the store failed; nothing is left of the upload.
        """
        upload = Upload(self._client, self._bucket, key)
        try:
            async for chunk in chunks:
                await upload.write(chunk)
            return await upload.finish()
        except _FAULTS as error:
            await upload.abort()
            raise Unavailable(_AWAY) from error
        except BaseException:
            await upload.abort()
            raise

    async def delete(self, key: str) -> None:
        """Remove an object that no record names; failing is harmless."""
        with contextlib.suppress(*_FAULTS):
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def get(self, key: str, byte_range: str | None) -> Original:
        """Open an object, or the part that `byte_range` (`bytes=0-99`) names.

        Raises:
            NotFound: there is no such object.
            RangeNotSatisfiable: the range begins behind the end.
            Unavailable: the store failed.
        """
        wanted: Mapping[str, str] = {} if byte_range is None else {"Range": byte_range}
        try:
            answer = await self._client.get_object(Bucket=self._bucket, Key=key, **wanted)
        except ClientError as error:
            raise _refusal(error) from error
        except _FAULTS as error:
            raise Unavailable(_AWAY) from error
        return Original(
            chunks=_stream(answer["Body"]),
            length=int(answer["ContentLength"]),
            content_range=answer.get("ContentRange"),
        )


def _refusal(error: ClientError) -> Exception:
    code = str(error.response.get("Error", {}).get("Code", ""))
    if code in {"NoSuchKey", "404", "NotFound"}:
        return NotFound("the original is not in the object store")
    if code in {"InvalidRange", "416"}:
        return RangeNotSatisfiable("the range begins behind the end of the file")
    return Unavailable(_AWAY)


async def _stream(body: Any) -> AsyncIterator[bytes]:  # noqa: ANN401 - botocore's body
    async with body as stream:
        async for chunk in stream.iter_chunks(256 * 1024):
            yield chunk


class Upload:
    """One object on its way in: a single put, or parts once it has grown beyond one.

    Its methods raise botocore's errors; whoever meets one aborts.
    """

    def __init__(self, client: Any, bucket: str, key: str) -> None:  # noqa: ANN401
        self._client = client
        self._where = {"Bucket": bucket, "Key": key}
        self._buffer = bytearray()
        self._digest = hashlib.sha256()
        self._size = 0
        self._upload_id: str | None = None
        self._parts: list[dict[str, Any]] = []

    async def write(self, chunk: bytes) -> None:
        """Take bytes; a part that is full is sent."""
        self._buffer += chunk
        self._digest.update(chunk)
        self._size += len(chunk)
        if len(self._buffer) >= PART_BYTES:
            await self._send_part()

    async def finish(self) -> Stored:
        """Returns: what is stored, once the store has all of it."""
        if self._upload_id is None:
            await self._client.put_object(**self._where, Body=bytes(self._buffer))
        else:
            if self._buffer:
                await self._send_part()
            await self._client.complete_multipart_upload(
                **self._where,
                UploadId=self._upload_id,
                MultipartUpload={"Parts": self._parts},
            )
            self._upload_id = None
        return Stored(self._where["Key"], self._size, self._digest.hexdigest())

    async def abort(self) -> None:
        """Remove the parts that were sent, if any."""
        if self._upload_id is None:
            return
        upload_id, self._upload_id = self._upload_id, None
        ending = self._client.abort_multipart_upload(**self._where, UploadId=upload_id)
        # A cancelled call still takes its parts away with it.
        with contextlib.suppress(*_FAULTS):
            await asyncio.shield(asyncio.ensure_future(ending))

    async def _send_part(self) -> None:
        if self._upload_id is None:
            started = await self._client.create_multipart_upload(**self._where)
            self._upload_id = str(started["UploadId"])
        part, self._buffer = bytes(self._buffer), bytearray()
        number = len(self._parts) + 1
        sent = await self._client.upload_part(
            **self._where, UploadId=self._upload_id, PartNumber=number, Body=part
        )
        self._parts.append({"ETag": sent["ETag"], "PartNumber": number})

"""The object store: the documents' bytes, under `{gpt_id}/documents/{document_id}/…`."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import BotoCoreError, ClientError

from schemas.settings import StorageSettings
from streams import disk
from streams.errors import DependencyDown, InvalidMessage

CALL_SECONDS: Final = 80.0
"""Hard limit of a call with all that it transfers; below the time that a rebalance waits."""
_CHUNK_BYTES: Final = 256 * 1024
_SERVER_ERROR: Final = 500


def prefix(gpt_id: str, document_id: str) -> str:
    """Returns: what the keys of a document begin with."""
    return f"{gpt_id}/documents/{document_id}/"


@dataclass(frozen=True, slots=True)
class StoredObject:
    """What the store says of an object."""

    key: str
    size_bytes: int
    modified_at: datetime


class ObjectStore:
    """One bucket."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - aiobotocore has no types
        bucket: str,
        *,
        call_seconds: float = CALL_SECONDS,
    ) -> None:
        self._client = client
        self._bucket = bucket
        self._longest = call_seconds

    async def prepare(self) -> None:
        """Create the bucket where it is missing."""
        async with self._bounded():
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _status(error) != 404:  # noqa: PLR2004 - HTTP's number for "not found"
                    raise
                await self._client.create_bucket(Bucket=self._bucket)

    async def ping(self) -> None:
        """Raises: DependencyDown: the store does not answer or the bucket is missing."""
        async with self._bounded():
            try:
                await self._client.head_bucket(Bucket=self._bucket)
            except ClientError as error:
                if _status(error) != 404:  # noqa: PLR2004
                    raise
                detail = f"the bucket {self._bucket} is missing; run `actionstream migrate`"
                raise DependencyDown("s3", detail) from error

    async def download(self, key: str, target: Path, *, limit: int) -> int:
        """Write an object to a file. Returns: its size in bytes.

        Raises: InvalidMessage: there is no such object, or it has more than `limit` bytes.
            DependencyDown: the store is away.
        """
        async with self._bounded():
            try:
                answer = await self._client.get_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if _status(error) != 404:  # noqa: PLR2004
                    raise
                detail = "The object store has no such key; upload before the request."
                raise InvalidMessage("no_such_object", detail) from error
            size = 0
            async with answer["Body"] as body:
                with target.open("wb") as file:
                    async for chunk in body.iter_chunks(_CHUNK_BYTES):
                        size += len(chunk)
                        if size > limit:
                            detail = f"The document has more than {limit} bytes."
                            raise InvalidMessage("too_large", detail)
                        file.write(chunk)
            return size

    async def upload(self, key: str, source: Path, *, content_type: str) -> None:
        """Store a file under a key, whatever was there before.

        Raises: DependencyDown: the store is away.
        """
        async with self._bounded():
            with source.open("rb") as file:
                await self._client.put_object(
                    Bucket=self._bucket, Key=key, Body=file, ContentType=content_type
                )

    async def put(self, key: str, content: bytes, *, content_type: str) -> None:
        """Store bytes under a key, whatever was there before.

        Raises: DependencyDown: the store is away.
        """
        async with self._bounded():
            await self._client.put_object(
                Bucket=self._bucket, Key=key, Body=content, ContentType=content_type
            )

    async def delete(self, key: str) -> None:
        """Delete the object of exactly this key, if there is one.

        Raises: DependencyDown: the store is away.
        """
        async with self._bounded():
            await self._client.delete_object(Bucket=self._bucket, Key=key)

    async def delete_all(self, key_prefix: str) -> int:
        """Delete all objects whose keys begin so. Returns: how many.

        Raises: DependencyDown: the store is away.
        """
        deleted = 0
        async with self._bounded():
            pages = self._client.get_paginator("list_objects_v2")
            async for page in pages.paginate(Bucket=self._bucket, Prefix=key_prefix):
                keys = [{"Key": item["Key"]} for item in page.get("Contents", ())]
                if keys:
                    await self._client.delete_objects(
                        Bucket=self._bucket, Delete={"Objects": keys, "Quiet": True}
                    )
                deleted += len(keys)
        return deleted

    @asynccontextmanager
    async def _bounded(self) -> AsyncIterator[None]:
        with _errors():
            async with asyncio.timeout(self._longest):
                yield

    async def pages(self) -> AsyncIterator[Sequence[StoredObject]]:
        """Yield all objects, a thousand at a time, in the order of their keys.

        Raises: DependencyDown: the store is away.
        """
        with _errors():
            pages = self._client.get_paginator("list_objects_v2")
            async for page in pages.paginate(Bucket=self._bucket):
                yield [_listed(item) for item in page.get("Contents", ())]

    async def page(self, under: str, *, after: str, most: int) -> list[StoredObject]:
        """Returns: the next objects whose keys begin so, behind one key, in the order of keys.

        Raises: DependencyDown: the store is away.
        """
        async with self._bounded():
            answer = await self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=under, StartAfter=after, MaxKeys=most
            )
        return [_listed(item) for item in answer.get("Contents", ())]

    async def find(self, key: str) -> StoredObject | None:
        """Returns: the object of this key, None where there is none.

        Raises: DependencyDown: the store is away.
        """
        async with self._bounded():
            try:
                found = await self._client.head_object(Bucket=self._bucket, Key=key)
            except ClientError as error:
                if _status(error) != 404:  # noqa: PLR2004
                    raise
                return None
        return StoredObject(key, found["ContentLength"], found["LastModified"])


@asynccontextmanager
async def connect(settings: StorageSettings) -> AsyncIterator[ObjectStore]:
    """Yield the store of the documents' bytes."""
    async with connected(settings) as client:
        yield ObjectStore(client, settings.s3_bucket)


@asynccontextmanager
async def connected(settings: StorageSettings) -> AsyncIterator[Any]:
    """Yield a client; requests are signed with version 4 and address the bucket by path."""
    config = AioConfig(
        signature_version="s3v4",
        s3={"addressing_style": "path"},
        connect_timeout=5,
        read_timeout=30,
        retries={"total_max_attempts": 2},
        max_pool_connections=32,
    )
    access, secret = settings.s3_access_key, settings.s3_secret_key
    async with get_session().create_client(
        "s3",
        endpoint_url=settings.s3_endpoint,
        region_name=settings.s3_region,
        aws_access_key_id=None if access is None else access.get_secret_value(),
        aws_secret_access_key=None if secret is None else secret.get_secret_value(),
        config=config,
    ) as client:
        yield client


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what passes by itself into `DependencyDown`."""
    try:
        with disk.writing():
            yield
    except ClientError as error:
        if _status(error) >= _SERVER_ERROR or _code(error) in {"SlowDown", "RequestTimeout"}:
            raise DependencyDown("s3", f"{_code(error)} (status {_status(error)})") from error
        raise
    except (BotoCoreError, aiohttp.ClientError, OSError) as error:
        raise DependencyDown("s3", type(error).__name__) from error


def _listed(item: Any) -> StoredObject:  # noqa: ANN401 - aiobotocore has no types
    # Some stores list folders too, without a size and a time.
    modified_at = item.get("LastModified") or datetime.now(UTC)
    return StoredObject(item["Key"], item.get("Size", 0), modified_at)


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "unknown"))

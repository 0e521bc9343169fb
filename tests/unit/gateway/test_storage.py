"""Uploads go out in parts of one size, and leave nothing behind when they fail."""

from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError
from hypothesis import given
from hypothesis import strategies as st

from gateway import storage
from gateway.errors import Unavailable
from gateway.settings import GatewaySettings
from gateway.storage import PART_BYTES, Storage, Upload


class FakeS3:
    """Keeps what is put; fails at a part's number when told to."""

    def __init__(self, fail_at: int | None = None) -> None:
        self.objects: dict[str, bytes] = {}
        self.parts: dict[int, bytes] = {}
        self.fail_at = fail_at
        self.open = 0

    async def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803
        self.objects[Key] = Body

    async def create_multipart_upload(self, **_: Any) -> dict[str, str]:
        self.open += 1
        return {"UploadId": "u"}

    async def upload_part(self, *, PartNumber: int, Body: bytes, **_: Any) -> dict[str, str]:  # noqa: N803
        if PartNumber == self.fail_at:
            raise EndpointConnectionError(endpoint_url="http://nowhere")
        self.parts[PartNumber] = Body
        return {"ETag": f"e{PartNumber}"}

    async def complete_multipart_upload(
        self,
        *,
        Key: str,  # noqa: N803
        MultipartUpload: dict[str, Any],  # noqa: N803
        **_: Any,
    ) -> None:
        numbers = [part["PartNumber"] for part in MultipartUpload["Parts"]]
        self.objects[Key] = b"".join(self.parts[number] for number in numbers)
        self.open -= 1

    async def abort_multipart_upload(self, **_: Any) -> None:
        self.open -= 1


@given(st.lists(st.integers(0, PART_BYTES // 2), max_size=8))
async def test_any_sequence_of_pieces_arrives_whole(sizes: list[int]) -> None:
    """However the bytes come in, they are stored in order, with their size and hash."""
    s3 = FakeS3()
    upload = Upload(s3, "b", "k")
    content = b"".join(bytes([number]) * size for number, size in enumerate(sizes))
    for number, size in enumerate(sizes):
        await upload.write(bytes([number]) * size)
    stored = await upload.finish()
    assert s3.objects["k"] == content
    assert stored.size_bytes == len(content)
    assert s3.open == 0
    assert all(
        len(part) >= PART_BYTES for number, part in s3.parts.items() if number < len(s3.parts)
    )


@pytest.mark.parametrize("fail_at", [1, 2])
async def test_a_failed_upload_is_aborted(nowhere: GatewaySettings, fail_at: int) -> None:
    """The parts that were sent are taken away, and the client is told to try again."""
    s3 = FakeS3(fail_at)
    store = Storage(nowhere)
    store._client = s3

    async def chunks() -> Any:
        for _ in range(3):
            yield b"x" * PART_BYTES

    with pytest.raises(Unavailable):
        await store.put("k", chunks())
    assert s3.open == 0
    assert s3.objects == {}


async def test_a_client_that_leaves_takes_its_parts_with_it(nowhere: GatewaySettings) -> None:
    """Whatever ends the stream of bytes ends the upload too."""
    s3 = FakeS3()
    store = Storage(nowhere)
    store._client = s3

    async def chunks() -> Any:
        yield b"x" * storage.PART_BYTES
        raise ConnectionResetError

    with pytest.raises(Unavailable):
        await store.put("k", chunks())
    assert s3.open == 0

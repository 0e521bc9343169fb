"""Multipart bodies are read the same however they are cut on their way."""

from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import Malformed
from gateway.multipart import Begin, Data, End, boundary_of, events

BODY = (
    b"--b\r\nContent-Disposition: form-data; name=title\r\n\r\nHello\r\n"
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="B\xc3\xbcro.pdf"\r\n'
    b"Content-Type: application/pdf\r\n\r\nbytes\r\n-- and --b more\r\n--b--\r\n"
)


async def cut(body: bytes, size: int) -> AsyncIterator[bytes]:
    """Yields: the body in pieces."""
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def read(body: bytes, size: int) -> list[tuple[str, str | None, bytes]]:
    """Returns: name, filename and content of each part."""
    parts: list[tuple[str, str | None, bytes]] = []
    content = b""
    async for event in events(cut(body, size), b"b"):
        match event:
            case Begin(name, filename):
                parts.append((name, filename, b""))
                content = b""
            case Data(data):
                content += data
            case End():
                parts[-1] = (*parts[-1][:2], content)
    return parts


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64, 10_000])
async def test_parts_are_the_same_however_the_body_is_cut(size: int) -> None:
    """Names, filenames in UTF-8 and contents do not depend on the pieces."""
    assert await read(BODY, size) == [
        ("title", None, b"Hello"),
        ("file", "Büro.pdf", b"bytes\r\n-- and --b more"),
    ]


@given(st.binary(max_size=200), st.integers(1, 50))
async def test_any_content_comes_through(content: bytes, size: int) -> None:
    """No bytes of a file are taken for a boundary, and none is lost."""
    head = b"--b\r\nContent-Disposition: form-data; name=f; filename=x\r\n\r\n"
    safe = content.replace(b"\r\n--b", b"")
    assert await read(head + safe + b"\r\n--b--\r\n", size) == [("f", "x", safe)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nothing",
        BODY[:-10],
        BODY[:100],
        b"--b\r\nContent-Type: text/plain\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"A: " + b"x" * 20_000 + b"\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n" * 1200 + b"--b--\r\n",
    ],
)
async def test_a_broken_body_is_refused(body: bytes) -> None:
    """Cut off, without names, with endless headers or parts: malformed, and no more."""
    with pytest.raises(Malformed):
        await read(body, 64)


@pytest.mark.parametrize(
    "kind", ["multipart/form-data", "multipart/form-data; boundary=", f"a/b; boundary={'x' * 71}"]
)
def test_a_boundary_is_needed(kind: str) -> None:
    """A Content-Type without a usable boundary is refused."""
    with pytest.raises(Malformed):
        boundary_of(kind)

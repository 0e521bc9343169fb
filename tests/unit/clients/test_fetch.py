"""Links: what is fetched, what is refused for good, and what is tried again."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path

import httpx2
import pytest

from streams.clients.fetch import Fetch, FetchUnavailable
from tests.fakes.site import PUBLIC, Site, content, refused, status


async def test_a_file_is_fetched_from_the_address_that_was_judged(tmp_path: Path) -> None:
    """The connection goes to the address; TLS and the Host header keep the name."""
    site = Site(content, files_example=PUBLIC)
    await site.fetch()("https://files.example/a%20b.pdf?x=1#part", tmp_path / "file")
    [request] = site.requests
    assert (tmp_path / "file").read_bytes() == b"the file"
    assert str(request.url) == f"https://{PUBLIC}/a%20b.pdf?x=1#part"
    assert request.headers["host"] == "files.example"
    assert request.extensions["sni_hostname"] == "files.example"
    assert request.headers["accept-encoding"] == "identity"


async def test_an_international_name_keeps_its_form_for_the_network(tmp_path: Path) -> None:
    """Names outside ASCII are looked up and sent in their IDNA form."""
    site = Site(content, **{"xn--mller-kva_example": PUBLIC})
    await site.fetch()("https://müller.example/a", tmp_path / "file")
    assert site.requests[0].headers["host"] == "xn--mller-kva.example"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (404, "not_found"),
        (410, "not_found"),
        (401, "not_allowed"),
        (403, "not_allowed"),
        (400, "bad_status"),
        (304, "bad_status"),
        (302, "bad_status"),
    ],
)
async def test_final_answers_are_refusals(tmp_path: Path, code: int, expected: str) -> None:
    """Asking again would bring the same."""
    site = Site(status(code), files_example=PUBLIC)
    assert await refused(site.fetch(), "https://files.example/", tmp_path) == expected


@pytest.mark.parametrize("code", [408, 425, 429, 500, 502, 503, 504])
async def test_passing_trouble_is_tried_again(tmp_path: Path, code: int) -> None:
    """The record is retried, it is not the sender's fault."""
    site = Site(status(code), files_example=PUBLIC)
    with pytest.raises(FetchUnavailable, match=f"files.example answered with status {code}"):
        await site.fetch()("https://files.example/", tmp_path / "file")


@pytest.mark.parametrize("headers", [{}, {"content-length": "5000"}])
async def test_a_large_body_is_refused(tmp_path: Path, headers: dict[str, str]) -> None:
    """Whether or not the server says beforehand how large it is."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100

    site = Site(
        lambda _: httpx2.Response(200, headers=headers, content=body()), files_example=PUBLIC
    )
    assert await refused(site.fetch(), "https://files.example/", tmp_path) == "too_large"


async def test_a_body_of_exactly_the_limit_is_fetched(tmp_path: Path) -> None:
    """The limit itself is allowed."""
    site = Site(content, files_example=PUBLIC)
    await site.fetch(max_bytes=8)("https://files.example/", tmp_path / "file")
    assert (tmp_path / "file").stat().st_size == 8


async def test_a_compressed_body_is_refused(tmp_path: Path) -> None:
    """It was asked for plain, because a compressed one can unpack to anything."""
    site = Site(status(200, **{"content-encoding": "gzip"}), files_example=PUBLIC)
    assert await refused(site.fetch(), "https://files.example/", tmp_path) == "bad_encoding"


async def test_the_whole_time_is_bounded(tmp_path: Path) -> None:
    """A body that comes drop by drop does not hold a worker."""

    async def body() -> AsyncIterator[bytes]:
        while True:
            await asyncio.sleep(0.01)
            yield b"x"

    site = Site(lambda _: httpx2.Response(200, content=body()), files_example=PUBLIC)
    with pytest.raises(FetchUnavailable, match=r"within 0\.1 s"):
        await site.fetch(seconds=0.1)("https://files.example/", tmp_path / "file")


async def test_the_next_address_is_tried(tmp_path: Path) -> None:
    """A host with an address that is away is still reached by another."""

    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.host == PUBLIC:
            raise httpx2.ConnectError("refused")
        return content(request)

    site = Site(answer, files_example=f"{PUBLIC} 8.8.8.8")
    await site.fetch()("https://files.example/", tmp_path / "file")
    assert [request.url.host for request in site.requests] == [PUBLIC, "8.8.8.8"]


@pytest.mark.parametrize(
    "error",
    [
        httpx2.ConnectError("refused"),
        httpx2.ConnectTimeout("slow"),
        httpx2.ReadError("reset"),
        httpx2.RemoteProtocolError("nonsense"),
    ],
)
async def test_a_broken_connection_is_tried_again(tmp_path: Path, error: Exception) -> None:
    """Networks fail and come back."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        raise error

    with pytest.raises(FetchUnavailable):
        await Site(answer, files_example=PUBLIC).fetch()("https://files.example/", tmp_path / "f")


async def test_a_bad_certificate_is_refused(tmp_path: Path) -> None:
    """It does not become good by waiting."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("tls") from ssl.SSLCertVerificationError("self-signed")

    site = Site(answer, files_example=PUBLIC)
    assert await refused(site.fetch(), "https://files.example/", tmp_path) == "bad_certificate"


async def test_a_name_server_in_trouble_is_tried_again(tmp_path: Path) -> None:
    """No answer is not the answer that there is no such name."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        raise socket.gaierror(socket.EAI_AGAIN, f"{host}:{port}")

    fetch = Fetch(1000, timedelta(seconds=30), (), resolve, Site(content).transport)
    with pytest.raises(FetchUnavailable, match="could not be looked up"):
        await fetch("https://files.example/", tmp_path / "file")

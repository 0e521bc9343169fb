"""Links: what is refused, what is tried again, and where the connection really goes."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx2
import pytest

from streams.clients.addresses import is_public
from streams.clients.fetch import Fetch, FetchRefused, FetchUnavailable

PUBLIC = "93.184.215.14"
Answer = Callable[[httpx2.Request], httpx2.Response]


class Site:
    """A resolver and a server in one, which keeps the requests that reach it."""

    def __init__(self, answer: Answer, **names: str) -> None:
        self.answer = answer
        self.names = {name.replace("_", "."): found.split() for name, found in names.items()}
        self.requests: list[httpx2.Request] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        del port
        if host in self.names:
            return self.names[host]
        try:
            return [str(ip_address(host.strip("[]")))]
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "unknown") from None

    def transport(self) -> httpx2.AsyncBaseTransport:
        def handle(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            return self.answer(request)

        return httpx2.MockTransport(handle)

    def fetch(self, *allowed: str, max_bytes: int = 1000, seconds: float = 30) -> Fetch:
        return Fetch(
            max_bytes=max_bytes,
            timeout=timedelta(seconds=seconds),
            allowed_networks=tuple(map(ip_network, allowed)),
            resolve=self.resolve,
            open_transport=self.transport,
        )


async def pieces() -> AsyncIterator[bytes]:
    yield b"the "
    yield b"file"


def content(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, content=pieces())


def status(code: int, **headers: str) -> Answer:
    return lambda _: httpx2.Response(code, headers=headers)


async def refused(fetch: Fetch, url: str, folder: Path) -> str:
    with pytest.raises(FetchRefused) as caught:
        await fetch(url, folder / "file")
    assert caught.value.detail.endswith(".")
    return caught.value.code


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
    ("url", "code"),
    [
        ("ftp://files.example/a", "bad_scheme"),
        ("file:///etc/passwd", "bad_scheme"),
        ("gopher://files.example/", "bad_scheme"),
        ("/relative", "bad_scheme"),
        ("http://files.example/a", "bad_scheme"),
        ("https://files.example:8443/a", "bad_port"),
        ("https://files.example:22/a", "bad_port"),
        ("https://user:secret@files.example/a", "credentials_in_url"),
        ("https:///a", "bad_url"),
        ("https://files.example:notaport/", "bad_url"),
        ("https://files.example/\x00", "bad_url"),
        ("https://unknown.example/", "no_such_host"),
    ],
)
async def test_a_link_that_is_none_is_refused(tmp_path: Path, url: str, code: str) -> None:
    """Nothing is sent for it."""
    site = Site(content, files_example=PUBLIC)
    assert await refused(site.fetch(), url, tmp_path) == code
    assert site.requests == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.10",
        "0.0.0.0",  # noqa: S104 - nothing is bound
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "192.0.2.1",
        "::",
        "::1",
        "::7f00:1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd00:ec2::254",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "2001:0:7f00:1::1",
        "2001:db8::1",
    ],
)
async def test_addresses_that_are_not_public_are_refused(tmp_path: Path, address: str) -> None:
    """By name and as they stand, in whatever form an address hides in another."""
    site = Site(content, inside_example=address, mixed_example=f"{PUBLIC} {address}")
    literal = f"[{address.partition('%')[0]}]" if ":" in address else address
    for host in ("inside.example", "mixed.example", literal):
        assert await refused(site.fetch(), f"https://{host}/", tmp_path) == "private_address"
    assert site.requests == []


@pytest.mark.parametrize(
    "address", [PUBLIC, "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"]
)
def test_public_addresses_are_public(address: str) -> None:
    """Also those that reach IPv4 through IPv6."""
    assert is_public(ip_address(address))


async def test_a_redirect_is_judged_like_a_link(tmp_path: Path) -> None:
    """It may lead to another public name, but to no private one, and not to plain http."""
    targets = {
        "/good": "https://other.example/file",
        "/inside": "https://169.254.169.254/latest/meta-data/",
        "/name": "https://inside.example/",
        "/plain": "http://other.example/",
        "/local": "file:///etc/passwd",
    }

    def answer(request: httpx2.Request) -> httpx2.Response:
        target = targets.get(request.url.path)
        if target is None:
            return content(request)
        return httpx2.Response(302, headers={"location": target})

    site = Site(answer, files_example=PUBLIC, other_example="8.8.8.8", inside_example="10.0.0.1")
    fetch = site.fetch()
    await fetch("https://files.example/good", tmp_path / "file")
    assert [str(request.url) for request in site.requests] == [
        f"https://{PUBLIC}/good",
        "https://8.8.8.8/file",
    ]
    assert site.requests[1].headers["host"] == "other.example"
    for path, code in [
        ("inside", "private_address"),
        ("name", "private_address"),
        ("plain", "bad_scheme"),
        ("local", "bad_scheme"),
    ]:
        assert await refused(fetch, f"https://files.example/{path}", tmp_path) == code


async def test_a_relative_redirect_stays_on_its_host(tmp_path: Path) -> None:
    """It is resolved against the name, not against the address."""
    site = Site(
        lambda request: (
            httpx2.Response(301, headers={"location": "../b"})
            if request.url.path.startswith("/a")
            else content(request)
        ),
        files_example=PUBLIC,
    )
    await site.fetch()("https://files.example/a/a", tmp_path / "file")
    assert site.requests[1].headers["host"] == "files.example"
    assert site.requests[1].url.path == "/b"


async def test_the_name_is_resolved_once(tmp_path: Path) -> None:
    """A name that turns private after it was judged is of no use to anyone."""
    answers = iter([[PUBLIC], ["127.0.0.1"]])

    async def rebinding(host: str, port: int) -> Sequence[str]:
        del host, port
        return next(answers)

    site = Site(content)
    fetch = Fetch(1000, timedelta(seconds=30), (), rebinding, site.transport)
    await fetch("https://files.example/", tmp_path / "file")
    assert site.requests[0].url.host == PUBLIC
    assert next(answers) == ["127.0.0.1"]


async def test_redirects_end(tmp_path: Path) -> None:
    """A circle is left after five of them."""
    site = Site(status(302, location="https://files.example/"), files_example=PUBLIC)
    assert await refused(site.fetch(), "https://files.example/", tmp_path) == "too_many_redirects"
    assert len(site.requests) == 6


async def test_an_allowed_network_may_be_private_plain_and_on_any_port(tmp_path: Path) -> None:
    """What the operator names is allowed, and nothing beside it."""
    site = Site(content, inside_example="10.1.2.3", beside_example="10.2.0.1 10.1.2.3")
    fetch = site.fetch("10.1.0.0/16", "fd00::/8")
    await fetch("http://inside.example:8080/a", tmp_path / "file")
    assert str(site.requests[0].url) == "http://10.1.2.3:8080/a"
    assert site.requests[0].headers["host"] == "inside.example:8080"
    await fetch("http://[fd00::1]:81/", tmp_path / "file")
    assert site.requests[1].url.host == "fd00::1"
    assert await refused(fetch, "http://beside.example/", tmp_path) == "private_address"


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

"""Links: where the connection really goes, for every link and every redirect."""

from collections.abc import Sequence
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx2
import pytest

from schemas.addresses import is_public
from streams.clients.fetch import Fetch
from tests.fakes.site import PUBLIC, Site, content, refused, status


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

"""Where endpoints may be, by what their names lead to when they are named."""

import socket
import threading
from collections.abc import Sequence

import pytest

from gateway.errors import InvalidInput
from gateway.webhook_urls import PrivateAddress, Resolve, check, resolve

PUBLIC = "93.184.216.34"


def leading(*addresses: str) -> Resolve:
    """A resolver that gives every name these addresses, or does not know it."""

    async def resolve(host: str, port: int) -> Sequence[str]:
        del host, port
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return addresses

    return resolve


@pytest.mark.parametrize("url", ["https://a.example/", "https://a.example:8443/x?y=z"])
async def test_public_endpoints_are_taken(url: str) -> None:
    """On any port, since only TLS is spoken there."""
    await check(url, (), leading(PUBLIC, "2606:2800:220:1::1"))


async def test_a_name_that_nobody_knows_yet_is_taken() -> None:
    """Deliveries say so if it stays like that."""
    await check("https://not-yet.example/", (), leading())


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:192.168.0.1", "64:ff9b::7f00:1"],
)
async def test_a_name_with_any_address_inwards_is_refused(address: str) -> None:
    """One that leads outwards too could be the one that is connected to, or not."""
    with pytest.raises(PrivateAddress):
        await check("https://a.example/", (), leading(PUBLIC, address))


async def test_networks_that_are_allowed_may_be_http() -> None:
    """And only those."""
    await check("http://a.example:8080/", ("10.0.0.0/8",), leading("10.1.2.3"))
    with pytest.raises(InvalidInput, match="https"):
        await check("http://a.example/", ("10.0.0.0/8",), leading("10.1.2.3", PUBLIC))
    with pytest.raises(PrivateAddress):
        await check("http://a.example/", ("10.0.0.0/8",), leading("10.1.2.3", "192.168.0.1"))


@pytest.mark.parametrize(
    "url", ["ftp://a.example/", "https://u:p@a.example/", "https:///x", "https://[::1", "x"]
)
async def test_what_is_no_url_to_send_to(url: str) -> None:
    """Each with the place of the mistake."""
    with pytest.raises(InvalidInput) as caught:
        await check(url, (), leading(PUBLIC))
    assert [error.pointer for error in caught.value.errors] == ["/url"]


async def test_lookups_have_threads_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names that hang take none of those that everything else is done in."""
    threads: list[str] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        threads.append(threading.current_thread().name)
        kind = socket.SOCK_STREAM
        return [
            (socket.AF_INET, kind, 6, "", (host, port)),
            (socket.AF_INET, kind, 17, "", (host,)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert await resolve("192.0.2.1", 443) == ["192.0.2.1"]
    assert [name.partition("_")[0] for name in threads] == ["resolver"]

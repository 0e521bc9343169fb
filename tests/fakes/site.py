"""A web site for tests of fetching: names with addresses, and a server behind all of them."""

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path

import httpx2
import pytest

from streams.clients.fetch import Fetch, FetchRefused

PUBLIC = "93.184.215.14"
"""An address of the public internet."""

Answer = Callable[[httpx2.Request], httpx2.Response]


class Site:
    """A resolver and a server in one, which keeps the requests that reach it."""

    def __init__(self, answer: Answer, **names: str) -> None:
        self.answer = answer
        self.names = {name.replace("_", "."): found.split() for name, found in names.items()}
        self.requests: list[httpx2.Request] = []

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a name, or of an address as it stands."""
        del port
        if host in self.names:
            return self.names[host]
        try:
            return [str(ip_address(host.strip("[]")))]
        except ValueError:
            raise socket.gaierror(socket.EAI_NONAME, "unknown") from None

    def transport(self) -> httpx2.AsyncBaseTransport:
        """Return a transport that reaches this site at any address."""

        def handle(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            return self.answer(request)

        return httpx2.MockTransport(handle)

    def fetch(self, *allowed: str, max_bytes: int = 1000, seconds: float = 30) -> Fetch:
        """Return a fetcher that knows no other internet than this site."""
        return Fetch(
            max_bytes=max_bytes,
            timeout=timedelta(seconds=seconds),
            allowed_networks=tuple(map(ip_network, allowed)),
            resolve=self.resolve,
            open_transport=self.transport,
        )


async def pieces() -> AsyncIterator[bytes]:
    """Yield a file."""
    yield b"the "
    yield b"file"


def content(_: httpx2.Request) -> httpx2.Response:
    """Answer with a file in two pieces."""
    return httpx2.Response(200, content=pieces())


def status(code: int, **headers: str) -> Answer:
    """Return an answer of this status, without a body."""
    return lambda _: httpx2.Response(code, headers=headers)


async def refused(fetch: Fetch, url: str, folder: Path) -> str:
    """Return the code with which a link is refused."""
    with pytest.raises(FetchRefused) as caught:
        await fetch(url, folder / "file")
    assert caught.value.detail.endswith(".")
    return caught.value.code

"""Links over real sockets: a server that redirects inwards, never ends, stalls or breaks off."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from streams.clients.fetch import Fetch, FetchRefused, FetchUnavailable

HEAD = b"HTTP/1.1 200 OK\r\nconnection: close\r\n"


class Server:
    """An HTTP server on loopback whose answer depends on the path; it counts its requests."""

    def __init__(self) -> None:
        self.port = 0
        self.heads: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            await self.answer(head.split()[1].partition("?")[0], writer)
        writer.close()

    async def answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        if path.startswith("/to/"):
            target = path.removeprefix("/to/").replace("PORT", str(self.port))
            writer.write(f"HTTP/1.1 302 Found\r\nlocation: {target}\r\n\r\n".encode())
        elif path == "/endless":
            writer.write(HEAD + b"\r\n")
            while True:
                writer.write(b"x" * 65_536)
                await writer.drain()
        elif path == "/slow":
            writer.write(HEAD + b"content-length: 1000\r\n\r\n")
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.05)
        elif path == "/silent":
            await asyncio.sleep(3600)
        elif path == "/broken":
            writer.write(HEAD + b"content-length: 1000\r\n\r\nhalf")
        else:
            writer.write(HEAD + b"content-length: 8\r\n\r\nthe file")
        await writer.drain()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    listener = await asyncio.start_server(running.serve, "127.0.0.1", 0)
    running.port = listener.sockets[0].getsockname()[1]
    yield running
    listener.close()


async def names(host: str, port: int) -> Sequence[str]:
    """Resolve three names of the tests, and leave the rest to the system."""
    known = {
        "metadata.example": ["169.254.169.254"],
        "loopback.example": ["127.0.0.2"],
        "files.example": ["127.0.0.1"],
    }
    if host in known:
        return known[host]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


def fetcher(*allowed: str, seconds: float = 30) -> Fetch:
    networks = tuple(map(ip_network, allowed))
    return Fetch(100_000, timedelta(seconds=seconds), networks, names)


async def test_an_allowed_private_host_is_fetched(server: Server, tmp_path: Path) -> None:
    """Over the address that was judged, under the name that was asked for."""
    fetch = fetcher("127.0.0.1/32")
    await fetch(f"http://files.example:{server.port}/a?b=c", tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"the file"
    assert f"host: files.example:{server.port}" in server.heads[0].lower()


async def test_a_redirect_within_what_is_allowed_is_followed(
    server: Server, tmp_path: Path
) -> None:
    """Relative and absolute."""
    fetch = fetcher("127.0.0.1/32")
    await fetch(
        f"http://127.0.0.1:{server.port}/to//to/http://files.example:PORT/x", tmp_path / "f"
    )
    assert (tmp_path / "f").read_bytes() == b"the file"
    assert len(server.heads) == 3


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"]
)
async def test_loopback_is_refused_in_every_spelling(
    server: Server, tmp_path: Path, host: str
) -> None:
    """Whatever the system's resolver makes of it is judged, and nothing is connected to."""
    with pytest.raises(FetchRefused) as caught:
        await fetcher()(f"http://{host}:{server.port}/", tmp_path / "file")
    assert caught.value.code == "private_address"
    assert server.heads == []


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2:PORT/",
        "http://loopback.example:PORT/",
        "http://metadata.example/latest/meta-data",
        "https://169.254.169.254/latest/meta-data",
    ],
)
async def test_a_redirect_inwards_is_refused(server: Server, tmp_path: Path, target: str) -> None:
    """What one host may do does not extend to where it points."""
    fetch = fetcher("127.0.0.1/32")
    with pytest.raises(FetchRefused) as caught:
        await fetch(f"http://127.0.0.1:{server.port}/to/{target}", tmp_path / "file")
    assert caught.value.code == "private_address"
    assert len(server.heads) == 1


async def test_a_name_that_resolves_inwards_is_refused(tmp_path: Path) -> None:
    """The link looks harmless, its address is not."""
    with pytest.raises(FetchRefused) as caught:
        await fetcher()("https://metadata.example/latest/meta-data", tmp_path / "file")
    assert caught.value.code == "private_address"


async def test_an_endless_body_is_refused(server: Server, tmp_path: Path) -> None:
    """It ends at the limit, and no more than that is kept."""
    fetch = fetcher("127.0.0.1/32")
    with pytest.raises(FetchRefused) as caught:
        await fetch(f"http://127.0.0.1:{server.port}/endless", tmp_path / "file")
    assert caught.value.code == "too_large"
    assert (tmp_path / "file").stat().st_size <= 100_000


@pytest.mark.parametrize("path", ["slow", "silent"])
async def test_a_slow_server_is_given_up(server: Server, tmp_path: Path, path: str) -> None:
    """Whether it sends a byte now and then or nothing at all."""
    fetch = fetcher("127.0.0.1/32", seconds=0.5)
    with pytest.raises(FetchUnavailable, match=r"within 0\.5 s"):
        await fetch(f"http://127.0.0.1:{server.port}/{path}", tmp_path / "file")


async def test_a_body_that_breaks_off_is_tried_again(server: Server, tmp_path: Path) -> None:
    """Half a file is not taken for a file."""
    fetch = fetcher("127.0.0.1/32")
    with pytest.raises(FetchUnavailable, match="broke before the end"):
        await fetch(f"http://127.0.0.1:{server.port}/broken", tmp_path / "file")


async def test_a_closed_port_is_tried_again(tmp_path: Path) -> None:
    """The server may be back in a moment."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(FetchUnavailable, match="ConnectError"):
        await fetcher("127.0.0.1/32")(f"http://127.0.0.1:{port}/", tmp_path / "file")

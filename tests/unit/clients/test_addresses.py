"""Host names are looked up beside everything else that is done in threads."""

import socket
import threading

import pytest

from streams.clients.addresses import resolve


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

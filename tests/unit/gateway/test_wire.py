"""Answers on their way to the connection."""

import asyncio
from typing import Any

from gateway.wire import WholeAnswers

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Transport:
    """Keeps each piece that is written."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.closing = False

    def write(self, data: bytes) -> None:
        assert not self.closing
        self.pieces.append(data)

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.closing = True


def writing() -> tuple[Any, Transport]:
    transport: Any = Transport()
    return WholeAnswers(transport), transport


async def test_a_head_goes_with_its_body() -> None:
    """In one piece; what follows goes as it comes."""
    whole, transport = writing()
    for data in (HEAD, b"one", b"two"):
        whole.write(data)
    await asyncio.sleep(0)
    assert transport.pieces == [HEAD + b"one", b"two"]


async def test_a_head_waits_for_no_body() -> None:
    """A stream whose first event comes later shows its head at once."""
    whole, transport = writing()
    whole.write(HEAD)
    assert transport.pieces == []
    await asyncio.sleep(0)
    assert transport.pieces == [HEAD]
    whole.write(b"data: 1")
    assert transport.pieces == [HEAD, b"data: 1"]


async def test_a_head_is_written_before_the_end() -> None:
    """A connection that is closed behind it shows it first; one that was cut off takes nothing."""
    whole, transport = writing()
    whole.write(HEAD)
    whole.close()
    assert (transport.pieces, transport.closing) == ([HEAD], True)

    cut, gone = writing()
    cut.write(HEAD)
    gone.closing = True
    await asyncio.sleep(0)
    assert gone.pieces == []

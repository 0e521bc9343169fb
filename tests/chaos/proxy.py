"""TCP between the product and a server, which can be cut or held up.

Run as `python -m tests.chaos.proxy CONTROL NAME:LISTEN:TARGET …`. A line sent to the port CONTROL,
`cut NAME` or `hold NAME SECONDS`, resets all connections to a server, or lets nothing through for a
while; the answer is the number of connections it concerned.
"""

import asyncio
import contextlib
import socket
import struct
import sys
from collections.abc import Sequence

HOST = "127.0.0.1"
_CHUNK_BYTES = 64 * 1024
#: Closing a socket with this resets the connection instead of ending it in order.
_RESET = struct.pack("ii", 1, 0)


class Way:
    """The way to one server."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._open: set[asyncio.StreamWriter] = set()
        self._free = asyncio.Event()
        self._free.set()

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection both ways until either side ends it."""
        try:
            there, back = await asyncio.open_connection(HOST, self._target)
        except OSError:
            _reset(writer)
            return
        self._open |= {writer, back}
        ways = [
            asyncio.create_task(self._copy(reader, back)),
            asyncio.create_task(self._copy(there, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._open -= {writer, back}
            writer.close()
            back.close()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK_BYTES):
            await self._free.wait()
            writer.write(data)
            await writer.drain()

    def cut(self) -> int:
        """Reset all connections. Returns: how many there were."""
        ends = list(self._open)
        for end in ends:
            _reset(end)
        return len(ends) // 2

    async def hold(self, seconds: float) -> int:
        """Let nothing through for a while. Returns: how many connections there are then."""
        self._free.clear()
        await asyncio.sleep(seconds)
        self._free.set()
        return len(self._open) // 2


def _reset(writer: asyncio.StreamWriter) -> None:
    end: socket.socket | None = writer.get_extra_info("socket")
    if end is not None:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()


async def serve(control: int, ways: Sequence[str]) -> None:
    """Carry and obey until cancelled."""
    known: dict[str, Way] = {}
    for each in ways:
        name, listen, target = each.split(":")
        known[name] = Way(int(target))
        await asyncio.start_server(known[name].carry, HOST, int(listen))

    async def obey(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        match (await reader.readline()).decode().split():
            case ["cut", name]:
                count = known[name].cut()
            case ["hold", name, seconds]:
                count = await known[name].hold(float(seconds))
            case _:
                count = 0
        writer.write(f"{count}\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(obey, HOST, control)
    await server.serve_forever()


async def tell(control: int, line: str) -> int:
    """Tell a running proxy what to do. Returns: how many connections it concerned."""
    reader, writer = await asyncio.open_connection(HOST, control)
    writer.write(f"{line}\n".encode())
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(answer or 0)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2:]))

"""The addresses of a host name, as this machine's resolver has them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns every address of a host name; raises `socket.gaierror`."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of `host`, as the system's resolver gives them."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))

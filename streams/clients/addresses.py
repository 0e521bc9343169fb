"""The addresses of a host name, as this machine's resolver has them."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns every address of a host name; raises `OSError`, or `UnicodeError` for what is no name."""

_LOOKUPS: Final = ThreadPoolExecutor(32, thread_name_prefix="resolver")
"""Threads of their own: names whose servers hang must not stop what else is done in threads."""


async def resolve(host: str, port: int) -> Sequence[str]:
    """Return the addresses of `host`, as the system's resolver gives them."""
    loop = asyncio.get_running_loop()
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await loop.run_in_executor(_LOOKUPS, look_up)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))

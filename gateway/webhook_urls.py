"""Where endpoints may be, looked at when they are named; deliveries look again, each time.

A name that cannot be looked up now may be one day, so only one that leads inwards is refused.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import ip_address, ip_network
from typing import Final

import httpx2

from gateway.errors import InvalidInput
from schemas.addresses import Address, is_public, is_within

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns every address of a host name; raises `OSError`."""

_POINTER: Final = "/url"
_LOOKUP_S: Final = 3.0
_HTTPS_PORT: Final = 443
_LOOKUPS: Final = ThreadPoolExecutor(32, thread_name_prefix="resolver")
"""Threads of their own: names whose servers hang must not stop what else is done in threads."""


class PrivateAddress(InvalidInput):
    """The URL leads to an address that is not on the public internet."""

    code, title = "private_address", "Private address"


async def resolve(host: str, port: int) -> Sequence[str]:
    """Returns: the addresses of a host, as the system's resolver gives them."""
    loop = asyncio.get_running_loop()
    look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await loop.run_in_executor(_LOOKUPS, look_up)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def check(url: str, networks: Sequence[str], resolve: Resolve = resolve) -> None:
    """Check that events may be sent to a URL; in these networks it may be private, and http.

    Raises:
        PrivateAddress: it leads inwards.
        InvalidInput: it is no URL, has credentials, or is http where that is not allowed.
    """
    parsed = _parsed(url)
    allowed = tuple(map(ip_network, networks))
    addresses = await _addresses(parsed, resolve)
    own = bool(addresses) and all(is_within(address, allowed) for address in addresses)
    if not all(is_within(each, allowed) or is_public(each) for each in addresses):
        raise PrivateAddress.at(
            _POINTER, f"{parsed.host} is not on the public internet; give a public address"
        )
    if parsed.scheme != "https" and not own:
        raise InvalidInput.at(_POINTER, "must be an https URL")


def _parsed(url: str) -> httpx2.URL:
    try:
        parsed = httpx2.URL(url)
        parsed.raw_host.decode("ascii")
    except (httpx2.InvalidURL, ValueError):
        raise InvalidInput.at(_POINTER, "is not a URL; correct it") from None
    if parsed.scheme not in {"https", "http"} or not parsed.host:
        raise InvalidInput.at(_POINTER, "must be an https URL with a host name")
    if parsed.userinfo:
        raise InvalidInput.at(_POINTER, "must have no user name or password; check the signature")
    return parsed


async def _addresses(url: httpx2.URL, resolve: Resolve) -> list[Address]:
    port = url.port or (_HTTPS_PORT if url.scheme == "https" else 80)
    try:
        async with asyncio.timeout(_LOOKUP_S):
            names = await resolve(url.raw_host.decode("ascii"), port)
        return [ip_address(name.partition("%")[0]) for name in names]
    except (OSError, TimeoutError, ValueError):
        return []

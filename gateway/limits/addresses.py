"""Whom an address stands for, where calls without a key are counted."""

import ipaddress
from functools import lru_cache
from typing import Final

from starlette.types import Scope

UNKNOWN: Final = "unknown"
_NETWORK_BITS: Final = 64


def of(scope: Scope) -> str | None:
    """Returns: where a call comes from; what a trusted proxy says is its own client's address."""
    client = scope.get("client")
    return None if client is None else client[0]


@lru_cache(maxsize=4096)
def counted(host: str | None) -> str:
    """Returns: an IPv4 address, or the /64 of an IPv6 one, which is what one customer gets.

    What is no address, such as a socket of the file system or what a proxy made up, is counted
    together.
    """
    try:
        address = ipaddress.ip_address((host or "").partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, _NETWORK_BITS), strict=False))

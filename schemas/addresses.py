"""Internet addresses: which of them belong to the public internet, and which an installation adds.

What outsiders name, links as well as webhooks, is judged by these at the edge and again where the
connection is made.
"""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_NAT64 = IPv6Network("64:ff9b::/96")
_NEVER_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "168.63.129.16/32",  # serves every virtual machine of one cloud its secrets
        "::/96",  # IPv4-compatible, deprecated
        "64:ff9b:1::/48",  # NAT64 into private networks
        "2001::/32",  # Teredo, which ends at any IPv4 address
        "2002::/16",  # 6to4, likewise
        "fec0::/10",  # site-local, deprecated
    )
)


def is_public(address: Address) -> bool:
    """Tell whether an address belongs to the public internet, seeing through IPv6 transition forms.

    Source: the IANA special-purpose address registries, as `ipaddress` has them, and the networks
    above that some versions of it take for global.
    """
    embedded = inner(address)
    if embedded is not address:
        return is_public(embedded)
    if any(address.version == network.version and address in network for network in _NEVER_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


def is_within(address: Address, networks: Iterable[Network]) -> bool:
    """Tell whether an address is in one of these networks, seeing through IPv6 transition forms."""
    seen = inner(address)
    return any(seen.version == network.version and seen in network for network in networks)


def inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address leads to, or the address itself."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address

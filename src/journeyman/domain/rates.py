"""How much of an hour's requests a caller has used, and who counts as one."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Network, ip_address

IPV6_PREFIX = 64
"""Bits: what one subscriber is given, who has all the addresses below it."""


@dataclass(frozen=True)
class Used:
    resets_at: int
    """Unix seconds: the end of the window, which tells it from others of the same caller."""
    used: int


def network_of(address: str) -> str:
    """Whom *address* counts for: of IPv6 its network. What is no address is itself."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    if isinstance(found, IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(IPv6Network((int(found), IPV6_PREFIX), strict=False))

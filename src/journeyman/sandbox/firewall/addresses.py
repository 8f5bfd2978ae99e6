"""Which addresses no name may lead to: what is not public, and what is this host's own.

Knows nothing of names or rules.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Range = ipaddress.IPv4Network | ipaddress.IPv6Network

CLOSED = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's metadata behind a public address
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/3",
        "::/96",
        "100::/64",
        "2001:db8::/32",
        "3fff::/20",
        "5f00::/16",
        "fc00::/7",
        "fe80::/9",
        "ff00::/8",
    )
)
"""Beside what Python knows: its list has grown from release to release."""
TRANSLATED = tuple(
    ipaddress.ip_network(text)
    for text in ("::ffff:0:0/96", "2002::/16", "2001::/32", "64:ff9b::/96", "64:ff9b:1::/48")
)
"""IPv6 addresses that carry an IPv4 address: mapped, 6to4, Teredo, NAT64."""


def ranges(lines: Sequence[str]) -> tuple[Range, ...]:
    """Networks as written, for example 10.1.0.0/16. Raises ValueError, which names the line."""
    return tuple(ipaddress.ip_network(line.strip()) for line in lines)


def refusal(text: str, allowed: Sequence[Range]) -> str | None:
    """Why nobody may connect to the address *text*; None when it is public or in *allowed*."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if any(address in one for one in allowed):
        return None
    if any(address in one for one in TRANSLATED):
        return f"{address} hides an IPv4 address"
    if not address.is_global or any(address in one for one in CLOSED):
        return f"{address} is not a public address"
    if is_own(address):
        return f"{address} is this server's own address"
    return None


def is_own(address: Address) -> bool:
    """Whether this host answers to *address*: it then speaks to it from there. Sends nothing."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        try:
            asking.connect((str(address), 9))
        except OSError:
            return False
        return bool(asking.getsockname()[0] == str(address))

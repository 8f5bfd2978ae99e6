"""Which hosts and ports a session may reach, as written: `host`, `*.host`, `host:port`, `*`.

Knows nothing of addresses that names resolve to, nor of sockets.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass

WEB_PORTS = frozenset({443, 80})
"""What a rule without a port allows."""
NAMED_PORTS = (443, 80, 22)
"""What a rule for any port stands for where each port must be named beforehand."""
MAX_HOST = 253
_HOST = re.compile(
    r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*"
)


@dataclass(frozen=True)
class Rule:
    """One line of an allowlist."""

    host: str
    """A name or an address; with *below*, the zone whose members are meant; `*` for any host."""
    below: bool = False
    ports: frozenset[int] | None = WEB_PORTS
    """None: any."""

    def covers(self, host: str) -> bool:
        """Whether *host*, in its normal form, is meant."""
        if self.below:
            return host.endswith(f".{self.host}")
        return self.host in ("*", host)


class Rules:
    """An allowlist."""

    def __init__(self, lines: Iterable[str]) -> None:
        """Raises ValueError, which names the line that is wrong."""
        self._rules = tuple(map(parse, lines))

    def allows(self, host: str, port: int) -> bool:
        """Whether *host*, in its normal form, may be reached at *port*."""
        return any(
            rule.covers(host) and (rule.ports is None or port in rule.ports) for rule in self._rules
        )

    def ports_of(self, host: str) -> frozenset[int]:
        """Ports at which *host* may be reached; any port counts as the named ones."""
        found = [rule.ports for rule in self._rules if rule.covers(host)]
        return frozenset().union(*(ports or NAMED_PORTS for ports in found))


def parse(line: str) -> Rule:
    """The rule that *line* writes. Raises ValueError."""
    host, port = _parted(line.strip())
    try:
        ports = _ports(port)
        if host == "*":
            return Rule("*", ports=ports)
        if host.startswith("*."):
            return Rule(normal(host[2:]), below=True, ports=ports)
        return Rule(normal(host), ports=ports)
    except ValueError as error:
        raise ValueError(
            f"{line!r} is not a rule ({error}): write host, *.host or host:port"
        ) from None


def normal(host: str) -> str:
    """*host* in small letters, without its last dot, in ASCII. Raises ValueError.

    Only plain addresses count as addresses: 127.1 and 0x7f000001 are names that nobody has.
    """
    if is_address(host):
        return str(ipaddress.ip_address(host))
    try:
        name = host.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError:
        raise ValueError("a host has no such name") from None
    if len(name) > MAX_HOST or not _HOST.fullmatch(name):
        raise ValueError("a host has no such name")
    return name


def is_address(host: str) -> bool:
    """Whether *host*, in its normal form, is an address and no name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _parted(line: str) -> tuple[str, str]:
    if line.startswith("["):
        host, _, rest = line[1:].partition("]")
        return host, rest.removeprefix(":")
    if line.count(":") > 1:
        return line, ""
    host, _, port = line.partition(":")
    return host, port


def _ports(text: str) -> frozenset[int] | None:
    if text == "*":
        return None
    if not text:
        return WEB_PORTS
    if not re.fullmatch(r"[0-9]{1,5}", text) or not 0 < int(text) < 65536:
        raise ValueError(f"{text!r} is not a port")
    return frozenset({int(text)})

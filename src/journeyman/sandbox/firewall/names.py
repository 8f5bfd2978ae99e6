"""Names that look like addresses of this machine: what the resolver inside a sandbox answers.

Every allowed name gets a loopback address of its own, so that the address that a program connects
to tells which name it meant. Nothing is ever asked of another resolver for that.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass

FIRST = int(ipaddress.IPv4Address("127.64.0.1"))
MOST = 512
TTL_SECONDS = 60
MAX_QUESTION = 512
A, AAAA = 1, 28
_INTERNET = 1
_NO_ERROR, _NO_SUCH_NAME, _REFUSED = 0, 3, 5
_RESPONSE = 0x8180
"""A response, recursion wanted and available."""


@dataclass(frozen=True)
class Question:
    """One query, of one name."""

    number: bytes
    name: str
    kind: int
    raw: bytes
    """Name, type and class as they came: the answer repeats their letters' case."""


class Mapped:
    """Which address stands for which name, in one session."""

    def __init__(self) -> None:
        self._by_name: dict[str, str] = {}

    def find(self, name: str) -> str | None:
        """The address that stands for *name* already."""
        return self._by_name.get(name)

    def add(self, name: str) -> str | None:
        """A new address for *name*; None when there are too many."""
        if len(self._by_name) >= MOST:
            return None
        address = str(ipaddress.IPv4Address(FIRST + len(self._by_name)))
        self._by_name[name] = address
        return address


def question(data: bytes) -> Question | None:
    """What *data* asks; None when it is no ordinary query."""
    if not 17 <= len(data) <= MAX_QUESTION:
        return None
    flags, count = struct.unpack(">HH", data[2:6])
    if flags & 0xF800 or count != 1:
        return None
    labels, at = [], 12
    while at < len(data) and (size := data[at]):
        if size > 63:
            return None
        labels.append(data[at + 1 : at + 1 + size])
        at += 1 + size
    tail = data[at + 1 : at + 5]
    if len(tail) < 4 or not labels or tail[2:] != _INTERNET.to_bytes(2, "big"):
        return None
    name = b".".join(labels).decode("latin-1").lower()
    return Question(data[:2], name, int.from_bytes(tail[:2], "big"), data[12 : at + 5])


def found(asked: Question, address: str | None) -> bytes:
    """The name is there; without an *address*, it has none of the kind that was asked for."""
    if address is None:
        return _reply(asked, _NO_ERROR, b"")
    packed = ipaddress.IPv4Address(address).packed
    record = struct.pack(">HHHIH", 0xC00C, A, _INTERNET, TTL_SECONDS, len(packed)) + packed
    return _reply(asked, _NO_ERROR, record)


def missing(asked: Question) -> bytes:
    """There is no such name here."""
    return _reply(asked, _NO_SUCH_NAME, b"")


def overloaded(asked: Question) -> bytes:
    """No more names can be given addresses."""
    return _reply(asked, _REFUSED, b"")


def _reply(asked: Question, code: int, record: bytes) -> bytes:
    counts = struct.pack(">HHHHH", _RESPONSE | code, 1, 1 if record else 0, 0, 0)
    return asked.number + counts + asked.raw + record

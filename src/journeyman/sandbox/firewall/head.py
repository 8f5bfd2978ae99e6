"""The head of an HTTP/1 message, read without any leniency, and written anew.

Knows nothing of connections. What two readers could understand differently is refused, so that
nobody behind the proxy can understand something else than was checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

MAX_BYTES = 32 << 10
HOP_BY_HOP = frozenset(
    {
        *("connection", "expect", "host", "keep-alive", "proxy-authenticate"),
        *("proxy-authorization", "proxy-connection", "te", "trailer", "upgrade"),
    }
)
"""Between two neighbours only; `Host` is written anew from what was checked."""
_REQUEST = re.compile(r"([A-Z][A-Z-]{0,19}) ([\x21-\x7e]+) HTTP/1\.[01]")
_STATUS = re.compile(r"HTTP/1\.[01] ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

Fields = tuple[tuple[str, str], ...]


class Malformed(Exception):
    """What came is not plain HTTP; the text says how."""


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    fields: Fields

    @property
    def length(self) -> int | None:
        """Bytes of the body; None when it comes in chunks."""
        if values(self.fields, "transfer-encoding"):
            return None
        return int((*values(self.fields, "content-length"), "0")[0])


def request(raw: bytes) -> Request:
    """The request whose head, up to its empty line, is *raw*. Raises Malformed."""
    first, fields = _parts(raw)
    match = _REQUEST.fullmatch(first)
    if match is None:
        raise Malformed("the request line is not HTTP/1")
    _check(fields)
    return Request(match[1], match[2], fields)


@dataclass(frozen=True)
class Response:
    status: int
    fields: Fields
    head: bytes
    """As it goes on: it ends the connection behind it."""

    def length(self, method: str) -> int | None:
        """Bytes of its body as an answer to *method*; None when only its end tells."""
        if method == "HEAD" or self.status in (204, 304):
            return 0
        lengths = values(self.fields, "content-length")
        known = len(lengths) == 1 and re.fullmatch(r"[0-9]{1,18}", lengths[0])
        chunked = values(self.fields, "transfer-encoding")
        return int(lengths[0]) if known and not chunked else None


def response(raw: bytes) -> Response:
    """The response whose head is *raw*. Raises Malformed."""
    first, fields = _parts(raw)
    match = _STATUS.fullmatch(first)
    if match is None:
        raise Malformed("the status line is not HTTP/1")
    text = written(first, [*kept(fields), ("Connection", "close")])
    return Response(int(match[1]), fields, text)


def kept(fields: Fields) -> list[tuple[str, str]]:
    """What goes on to the next neighbour."""
    named = {
        name.strip().lower() for value in values(fields, "connection") for name in value.split(",")
    }
    return [(name, value) for name, value in fields if name.lower() not in HOP_BY_HOP | named]


def values(fields: Fields, name: str) -> list[str]:
    """Every value of field *name*, which is in small letters."""
    return [value for key, value in fields if key.lower() == name]


def written(first: str, fields: Iterable[tuple[str, str]]) -> bytes:
    """A head, with its empty line."""
    lines = [first, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def _parts(raw: bytes) -> tuple[str, Fields]:
    first, *lines = raw.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    fields = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Malformed("a header is not one line of name and value")
        fields.append((name, value.strip("\t ")))
    return first, tuple(fields)


def _check(fields: Fields) -> None:
    lengths, codings = values(fields, "content-length"), values(fields, "transfer-encoding")
    if len(values(fields, "host")) > 1:
        raise Malformed("there is more than one Host")
    if len(lengths) + len(codings) > 1:
        raise Malformed("the length of the body is ambiguous")
    if lengths and not re.fullmatch(r"[0-9]{1,18}", lengths[0]):
        raise Malformed("Content-Length is not a number")
    if codings and codings[0].lower() != "chunked":
        raise Malformed("the only Transfer-Encoding here is chunked")

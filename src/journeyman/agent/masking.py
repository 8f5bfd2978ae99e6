"""Secret values in what is written down: replaced before it is stored, shown or sent to a model.

Knows nothing of where secrets come from. Found are the values themselves, their lines, and the
forms in which programs print them: base64 at any offset, hexadecimal, escaped for URLs, JSON, HTML.
"""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote, quote_plus

from journeyman.domain.events import NewEvent

SHOWN = "******"
SHORTEST = 6
"""Shorter values would be found in innocent texts."""


class Mask:
    """*values*: a secret of several lines is found line by line too."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        plain = {part.strip() for value in values for part in (value, *value.splitlines())}
        forms = {form for part in plain if len(part) >= SHORTEST for form in _forms(part)}
        self._values = sorted((f for f in forms if len(f) >= SHORTEST), key=len, reverse=True)

    def event(self, entry: NewEvent) -> NewEvent:
        if not self._values:
            return entry
        return replace(entry, data=self._masked(entry.data), record=self._masked(entry.record))

    def text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, SHOWN)
        return text

    def unfinished(self, text: str) -> int:
        """How many characters at the end of *text* may be the beginning of a value."""
        return max((_overlap(text, value) for value in self._values), default=0)

    def _masked(self, value: Any) -> Any:
        match value:
            case str():
                return self.text(value)
            case dict():
                return {self.text(str(key)): self._masked(item) for key, item in value.items()}
            case list() | tuple():
                return [self._masked(item) for item in value]
            case _:
                return value


NO_MASK = Mask()


def _forms(value: str) -> Iterator[str]:
    data = value.encode(errors="replace")
    yield value
    yield quote(value, safe="")
    yield quote(value)
    yield quote_plus(value)
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    yield html.escape(value)
    yield data.hex()
    yield data.hex().upper()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            yield _within_base64(encode(b"\0" * offset + data).decode(), offset, len(data))


def _within_base64(encoded: str, offset: int, length: int) -> str:
    """The characters that *length* bytes at *offset* decide alone, whatever is around them."""
    return encoded[-(-offset * 8 // 6) : (offset + length) * 8 // 6]


def _overlap(text: str, value: str) -> int:
    """The longest end of *text* that *value* begins with, short of all of it."""
    longest = min(len(text), len(value) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(value[:n])), 0)

"""Secret values in what is written down: replaced before it is stored, shown or sent to a model.

Knows nothing of where secrets come from. Only exact values are found, not their encodings.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from journeyman.domain.events import NewEvent

SHOWN = "******"
SHORTEST = 6
"""Shorter values would be found in innocent texts."""


class Mask:
    """*values*: a secret of several lines is found line by line too."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        parts = {part.strip() for value in values for part in (value, *value.splitlines())}
        self._values = sorted((p for p in parts if len(p) >= SHORTEST), key=len, reverse=True)

    def event(self, entry: NewEvent) -> NewEvent:
        if not self._values:
            return entry
        return replace(entry, data=self._masked(entry.data), record=self._masked(entry.record))

    def text(self, text: str) -> str:
        for value in self._values:
            text = text.replace(value, SHOWN)
        return text

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

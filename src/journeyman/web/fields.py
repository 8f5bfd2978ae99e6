"""An event's data as a page reads it: anything may be missing, and be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Data = Mapping[str, Any]


class Fields(dict[str, Any]):
    """For a template: what is not there is nothing."""

    def __missing__(self, _key: str) -> None:
        return None


def integer(value: object) -> int:
    return value if isinstance(value, int) else 0

"""How much of an hour's requests a caller has used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Used:
    resets_at: int
    """Unix seconds: the end of the window, which tells it from others of the same caller."""
    used: int

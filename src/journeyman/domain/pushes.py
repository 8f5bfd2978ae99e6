"""What a push does to a repository's refs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Update:
    ref: str
    before: str
    """All zeros: it is new."""
    after: str
    """All zeros: it is deleted."""

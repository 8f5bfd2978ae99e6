"""What asking a forge for news needs, whichever it is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from journeyman.domain.repositories import Account, Repository
from journeyman.domain.triggers import Happening, Kind

OVERLAP = timedelta(minutes=1)
"""Clocks differ, and what is written at one moment is not listed at once."""


def beginning() -> datetime:
    """From when on it is asked for, where nothing was asked before."""
    return datetime.now(UTC).replace(microsecond=0) - OVERLAP


def written(at: datetime) -> str:
    """As `since` wants it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def happening(
    kind: Kind, repository: Repository, at: datetime, by: Account | None, **more: Any
) -> Happening:
    """*more*: the other fields."""
    return Happening(
        kind=kind,
        repository_id=repository.id,
        owner=repository.owner.login,
        name=repository.name,
        at=at,
        by=by,
        **more,
    )

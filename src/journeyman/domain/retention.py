"""How long is kept what nobody works on any more."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta

from journeyman.domain.errors import invalid

MOST_DAYS = 36_500


@dataclass(frozen=True)
class Retention:
    """In days, from the end of a task's last session on where it belongs to a task. 0: for ever."""

    events_days: int = 0
    """The log of each session."""
    checkpoints_days: int = 90
    """The patch, and with it work that was never pushed."""
    runs_days: int = 7
    """The engine's notes of ended runs: only for who looks into a fault."""
    deliveries_days: int = 30
    """What webhooks were told."""
    audit_days: int = 365
    workspaces_days: int = 14
    """Files of resting sessions on a worker's disk; they come back from the checkpoint."""
    mirrors_days: int = 30
    """Mirrors that no session has used, on a worker's disk."""

    def __post_init__(self) -> None:
        for item in fields(self):
            days, name = getattr(self, item.name), f"retention.{item.name}"
            if not 0 <= days <= MOST_DAYS:
                raise invalid(name, f"{name} is {days}; give 0 to {MOST_DAYS} days.", "invalid")


def before(now: datetime, days: int) -> datetime | None:
    """What is older than this may go; None: nothing may."""
    return now - timedelta(days=days) if days else None

"""The agent's plan, as its event and its tool's arguments say it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from journeyman.web.fields import Data

STATES = frozenset({"pending", "in_progress", "completed"})


@dataclass(frozen=True)
class Step:
    content: str
    status: str
    """pending, in_progress or completed."""


def steps_of(data: Data) -> list[Step]:
    """What is said, whatever it is."""
    steps = data.get("steps")
    found = []
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict):
            status = str(step.get("status"))
            known = status if status in STATES else "pending"
            found.append(Step(str(step.get("content", "")), known))
    return found


def progress(steps: Sequence[Step]) -> str:
    done = sum(step.status == "completed" for step in steps)
    return f"{done} of {len(steps)} done"

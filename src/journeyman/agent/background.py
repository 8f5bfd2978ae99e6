"""Jobs as a session's log tells of them: which ran when they were last looked at, which are lost.

Knows nothing of sandboxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

LOST = (
    "[Lost with their machine, and with what they had changed since the files were last saved: "
    "job {numbers}. Begin again what is still needed.]"
)


@dataclass
class Background:
    running: set[int] = field(default_factory=set)
    """When they were last looked at."""
    begun: int = 0
    """The highest number so far."""
    lost: set[int] = field(default_factory=set)
    """Not told to the model yet."""

    def note(self, details: Any) -> None:
        """Take what a tool's result says of a job."""
        if not isinstance(details, dict) or "job" not in details:
            return
        number = int(details["job"])
        self.begun = max(self.begun, number)
        if details.get("running"):
            self.running.add(number)
        else:
            self.running.discard(number)

    def lose(self) -> None:
        """The sandbox is gone."""
        self.lost |= self.running
        self.running.clear()

    def news(self) -> str:
        """What the model must be told, once; empty when that is nothing."""
        numbers = " and ".join(map(str, sorted(self.lost)))
        self.lost.clear()
        return LOST.format(numbers=numbers) if numbers else ""

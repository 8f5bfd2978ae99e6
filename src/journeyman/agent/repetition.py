"""A model that does the same thing again and again: it is told, and at last it is stopped."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ToolCallPart

TOLD_AFTER, MOST = 3, 30
"""Replies in a row with the same calls: from when on it is told, and how many there may be."""
PATIENT = frozenset({"bash_wait"})
"""What may well be called again and again."""
TOLD = (
    "\n\n[This is time {count} in a row that you make exactly this call. If it does not bring you "
    "further, do something else, or end and say what is in the way.]"
)
STOPPED = (
    f"The model made the same call {MOST} times in a row and came no further. A message begins a "
    "new session; tell it another way, or choose another model."
)


class Repetition:
    """How often the newest reply's calls have been made in a row."""

    def __init__(self) -> None:
        self.count = 0
        self._calls: tuple[tuple[str, str], ...] = ()

    def hear(self, calls: Sequence[ToolCallPart]) -> None:
        made = tuple((call.tool_name, call.args_as_json_str()) for call in calls)
        same = bool(made) and made == self._calls and not PATIENT.issuperset(n for n, _ in made)
        self.count = self.count + 1 if same else 1
        self._calls = made

    @property
    def words(self) -> str:
        """What the model is told beside a result; empty when there is nothing to say."""
        return TOLD.format(count=self.count) if self.count >= TOLD_AFTER else ""

    @property
    def endless(self) -> bool:
        return self.count >= MOST

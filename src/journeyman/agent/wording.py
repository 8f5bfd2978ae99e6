"""The prompt of a session in the words that its agent gets: its user's, or a hook's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from journeyman.domain.events import Event

REWRITTEN = "prompt"
"""In the record of the hook that has written it anew."""


class Wording:
    """Folded from the log."""

    def __init__(self) -> None:
        self._rewritten: str | None = None

    def note(self, event: Event) -> None:
        """A hook was run; of several the last one counts."""
        self._rewritten = (event.record or {}).get(REWRITTEN, self._rewritten)

    def of(self, message: Mapping[str, Any]) -> str:
        """What the agent is told where a user has sent *message*, the data of its event."""
        if message.get("source") == "prompt" and self._rewritten is not None:
            return self._rewritten
        return str(message["content"])

"""A session's log as a file in its sandbox, for hooks that look back.

A JSON object a line, with the keys of an event as the API has it. Knows nothing of when it is read.
"""

from __future__ import annotations

import asyncio
import json

from journeyman.domain.events import Event
from journeyman.sandbox import HOME, Sandbox

PATH = f"{HOME}/.journeyman/transcript.jsonl"
WRITE_SECONDS = 30.0
BEGIN = 'mkdir -p "${1%/*}" && cat > "$1"'
GO_ON = 'cat >> "$1"'


class Transcript:
    """Written when it is asked for, each event once."""

    def __init__(self) -> None:
        self._unwritten: list[str] = []
        self._begun = False
        self._writing = asyncio.Lock()

    def note(self, event: Event) -> None:
        entry = {
            "id": f"{event.session_number}-{event.seq}",
            "type": event.type,
            "timestamp": event.created_at.isoformat(),
            "data": event.data,
        }
        self._unwritten.append(json.dumps(entry) + "\n")

    async def write(self, box: Sandbox) -> str:
        """Its path; empty when it cannot be written."""
        async with self._writing:
            lines, self._unwritten = self._unwritten, []
            ended = await box.exec(
                ["/bin/bash", "-c", GO_ON if self._begun else BEGIN, "transcript", PATH],
                stdin="".join(lines).encode(),
                timeout_seconds=WRITE_SECONDS,
            )
            self._begun = True
        return PATH if ended.exit_code == 0 else ""

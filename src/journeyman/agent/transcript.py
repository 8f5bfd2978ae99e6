"""A session's log as a file in its sandbox, for hooks that look back.

A JSON object a line, with the keys of an event as the API has it. Knows nothing of when it is read.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC

from journeyman.domain.events import Event
from journeyman.domain.queries import Cursor
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
        number, seq = event.session_number, event.seq
        at = event.created_at.astimezone(UTC).isoformat(timespec="milliseconds")
        entry = {
            "id": str(Cursor(number, seq)),
            "type": event.type,
            "timestamp": at.replace("+00:00", "Z"),
            "parentId": str(Cursor(number, seq - 1)) if seq > 1 else None,
            "data": event.data,
        }
        self._unwritten.append(json.dumps(entry) + "\n")

    async def write(self, box: Sandbox) -> str:
        """Its path; empty when it cannot be written, which is tried again the next time."""
        async with self._writing:
            lines, self._unwritten = self._unwritten, []
            ended = await box.exec(
                ["/bin/bash", "-c", GO_ON if self._begun else BEGIN, "transcript", PATH],
                stdin="".join(lines).encode(),
                timeout_seconds=WRITE_SECONDS,
            )
            if ended.exit_code != 0:
                self._unwritten[:0] = lines
                return ""
            self._begun = True
        return PATH

"""What a follow-up is told of the sessions before it: who said what, and how each ended.

Not their tool calls: what those found out may be long gone, and what they changed is in the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from journeyman.domain.events import OURS, Event, EventType

LIMIT = 24_000
"""Characters; the oldest are left out."""
ENTRY_LIMIT = 4_000
HEADING = """\
# Earlier in this task

You have worked on this task before, on the same branch; the files show what came of it. This is
what was said, oldest first:
"""


def recall(earlier: Iterable[Event]) -> str:
    """A section for the system prompt; empty for a first session."""
    said = [line for event in earlier if (line := _line(event))]
    if not said:
        return ""
    return "\n\n".join([HEADING.rstrip(), *_newest(said)])


def _line(event: Event) -> str:
    data = event.data
    if data.get("parentToolCallId"):
        return ""
    match event.type:
        case EventType.USER_MESSAGE if data.get("source") != "limit":
            who = "Journeyman" if data.get("source") in OURS else "User"
            return f"{who}: {_short(data['content'])}"
        case EventType.INPUT_REQUESTED:
            return f"You asked: {_short(data['question'])}"
        case EventType.MESSAGE if data.get("content", "").strip():
            return f"You: {_short(data['content'])}"
        case EventType.SESSION_STATE if data["state"] not in ("in_progress", "queued"):
            why = data.get("message") or data.get("stateReason") or ""
            return f"[The session became {data['state']}{f': {_short(why)}' if why else ''}]"
    return ""


def _short(text: str) -> str:
    text = text.strip()
    return text if len(text) <= ENTRY_LIMIT else text[: ENTRY_LIMIT - 1] + "…"


def _newest(said: Sequence[str]) -> list[str]:
    kept: list[str] = []
    room = LIMIT
    for line in reversed(said):
        room -= len(line)
        if room < 0:
            return ["[What came before is left out.]", *kept]
        kept.insert(0, line)
    return kept

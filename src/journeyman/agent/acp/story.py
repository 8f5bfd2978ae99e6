"""What a session's log tells an ACP agent that begins in its middle.

Agents keep their conversation to themselves; when one is gone, this is what its successor knows.
"""

from __future__ import annotations

import json
from collections import deque
from typing import Any

from journeyman.agent.text import clip
from journeyman.agent.wording import Wording
from journeyman.domain.events import OURS, Event, EventType
from journeyman.domain.hygiene import visible

LIMIT_CHARS = 40_000
"""The oldest lines are left out."""
SAID_CHARS, RESULT_CHARS, ARGUMENT_CHARS = 4_000, 600, 300
PAST = (
    "You have worked on this before; another copy of you did, whose memory is gone. This is what "
    "was said and done, oldest first:"
)
INTERRUPTED = (
    "[You were interrupted here. The files are as they were last saved, which may be before your "
    "last steps: look at them before you go on.]"
)


class Story:
    """Folded from the log, event by event; what it keeps is bounded."""

    def __init__(self) -> None:
        self.unfinished: dict[str, str] = {}
        """Calls without a result: what was called, by id."""
        self.session = ""
        """What the agent called its session the last time that it was prompted."""
        self._asked: list[str] = []
        self._since: list[str] = []
        """What was said that nothing was done upon."""
        self._prompted = 0
        """How much of that was said before the last time that it was prompted."""
        self._lines: deque[str] = deque()
        self._chars = 0
        self._cut = False
        self._acted = False
        self._question = ""
        self._wording = Wording()
        self._answers: dict[str, str] = {}

    def note(self, event: Event) -> None:
        """Take in the next event."""
        data = event.data
        match event.type:
            case EventType.MESSAGE | EventType.TOOL_COMPLETE:
                self._acted = True
                # What came after the prompt is not known to it: a lost call gets its end later.
                del self._since[: self._prompted]
                self._prompted = 0
            case EventType.TURN_START:
                self._prompted = len(self._since)
                self.session = (event.record or {}).get("agent_session", "")
            case EventType.HOOK_END:
                self._wording.note(event)
            case EventType.USER_MESSAGE:
                data = {**data, "content": visible(self._wording.of(data))}
                self._hear(data)
                self._since.append(f"{_who(data)}: {data['content'].strip()}")
            case EventType.INPUT_REQUESTED:
                self._question = data["question"]
                self._since.append(f"You asked: {data['question']}")
        if line := self._line(event.type, data):
            self._lines.append(line)
            self._chars += len(line)
        while self._chars > LIMIT_CHARS and len(self._lines) > 1:
            self._chars -= len(self._lines.popleft())
            self._cut = True

    def told(self) -> str:
        """All of it, for one that knows nothing: before anything was done, what users asked."""
        if not self._acted:
            return "\n\n".join(self._asked)
        cut = ["[What came before is left out.]"] if self._cut else []
        return "\n\n".join([PAST, *cut, *self._lines])

    def told_again(self) -> str:
        """For one that remembers what it did: it may not have heard the last words before its
        end."""
        return "\n\n".join([INTERRUPTED, *self._since])

    @property
    def began(self) -> bool:
        """Whether anything was done."""
        return self._acted

    def answer(self, question: str) -> str | None:
        """What the user has said to *question*; each answer is for one use."""
        return self._answers.pop(question, None)

    def keep(self, question: str, answer: str) -> None:
        """An answer that counts the next time, too."""
        self._answers[question] = answer

    def _hear(self, data: dict[str, Any]) -> None:
        if self._question and data.get("source") not in OURS:
            self._answers[self._question], self._question = data["content"], ""
        elif not self._acted:
            self._asked.append(data["content"].strip())

    def _line(self, kind: EventType, data: dict[str, Any]) -> str:
        match kind:
            case EventType.USER_MESSAGE:
                return f"{_who(data)}: {clip(data['content'].strip(), SAID_CHARS)}"
            case EventType.MESSAGE if data.get("content", "").strip():
                return f"You: {clip(data['content'].strip(), SAID_CHARS)}"
            case EventType.INPUT_REQUESTED:
                return f"You asked: {data['question']}"
            case EventType.TOOL_START:
                given = json.dumps(data.get("arguments"), ensure_ascii=False)
                self.unfinished[data["toolCallId"]] = f"{data['toolName']} {given[:ARGUMENT_CHARS]}"
            case EventType.TOOL_COMPLETE:
                return self._result(data)
            case EventType.SESSION_RESUME:
                return INTERRUPTED
        return ""

    def _result(self, data: dict[str, Any]) -> str:
        call = self.unfinished.pop(data["toolCallId"], data["toolName"])
        result, error = data.get("result") or {}, data.get("error") or {}
        said = result.get("content") or error.get("message") or ""
        how = "succeeded" if data["success"] else "failed"
        return f"[You called {call}, which {how}: {clip(said.strip(), RESULT_CHARS)}]"


def _who(message: dict[str, Any]) -> str:
    return "Journeyman" if message.get("source") in OURS else "User"

"""What an ACP agent tells of its work, as entries of our log.

Its fields come piecemeal and are not believed: what is missing or of another kind is left out.
Knows nothing of when entries are written.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from pydantic_ai.messages import (
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)

from journeyman.agent import entries
from journeyman.agent.conversation import record_of_message
from journeyman.agent.text import clean, clean_json
from journeyman.agent.tools import Result
from journeyman.domain.events import EventType, NewEvent
from journeyman.llm import Failure

NAMES = {
    "execute": "bash",
    "read": "view",
    "edit": "edit",
    "delete": "edit",
    "move": "edit",
    "search": "search",
    "fetch": "web_fetch",
}
"""Kinds of calls by the tool of ours that does the like."""
HARMLESS = frozenset({"read", "search", "think", "fetch", "switch_mode"})
"""Kinds of calls after which the files are as before."""
ENDED = frozenset({"completed", "failed"})
STATUSES = frozenset({"pending", "in_progress", "completed"})
MODEL_NAME = "acp"
MOST_TOKENS, MOST_DOLLARS = 10**9, 1_000
"""Of one prompt: what an agent says is added to what its user has used."""


@dataclass
class Call:
    """A call of the agent's, as far as it has told of it."""

    id: str
    title: str = ""
    kind: str = "other"
    status: str = "pending"
    arguments: dict[str, Any] = field(default_factory=dict)
    output: str = ""
    exit_code: int | None = None
    begun: bool = False
    """Whether it stands in the log."""
    began: float = field(default_factory=time.monotonic)

    @property
    def name(self) -> str:
        return NAMES.get(self.kind, self.kind)

    @property
    def is_known(self) -> bool:
        """Whether enough of it was told to be shown: some agents begin with less."""
        if self.kind == "execute":
            return "command" in self.arguments
        return bool(self.arguments) or self.status == "in_progress"

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def learn(self, update: dict[str, Any]) -> None:
        """Take in one update of it."""
        self.title = _text(update.get("title")) or self.title
        self.kind = _text(update.get("kind")) or self.kind
        self.status = _text(update.get("status")) or self.status
        if isinstance(given := update.get("rawInput"), dict):
            self.arguments = clean_json(given)
        if said := _content(update.get("content")):
            self.output = said
        raw = update.get("rawOutput")
        if not said and raw is not None:
            self.output = _output(raw) or self.output
        self.exit_code = _exit_code(raw) if self.exit_code is None else self.exit_code

    @property
    def part(self) -> ToolCallPart:
        arguments = {"title": self.title, **self.arguments} if self.title else self.arguments
        return ToolCallPart(self.name, arguments, self.id)


@dataclass
class Speech:
    """What the agent has said since the last entry of it."""

    message_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    text: str = ""
    thoughts: str = ""


def message(
    speech: Speech, call: ToolCallPart | None = None, failure: Failure | None = None
) -> NewEvent:
    """An entry for *speech*, which ends in *call*; without one it is the agent's last word."""
    parts: list[ModelResponsePart] = []
    if speech.thoughts:
        parts.append(ThinkingPart(clean(speech.thoughts)))
    parts.append(TextPart(clean(speech.text)))
    if call is not None:
        parts.append(call)
    reply = ModelResponse(parts=parts, model_name=MODEL_NAME, finish_reason="stop")
    data = entries.message_data(reply, speech.message_id)
    record = record_of_message(reply)
    if failure is not None:
        record["failure"] = {"reason": str(failure.reason), "message": failure.message}
    return NewEvent(EventType.MESSAGE, data, record)


def start(call: Call) -> NewEvent:
    part = call.part
    data = {
        "toolCallId": part.tool_call_id,
        "toolName": part.tool_name,
        "arguments": entries.arguments_of(part),
    }
    return NewEvent(EventType.TOOL_START, data, {"changes": call.kind not in HARMLESS})


def completion(call: Call) -> NewEvent:
    if call.status == "failed" and call.exit_code is None:
        return entries.failure(call.part, clean(call.output) or "failed", call.seconds)
    code = call.exit_code if call.exit_code is not None else 0
    details = {"exitCode": code} if call.name == "bash" else {}
    result = Result(call.output, success=call.status != "failed", details=details)
    return entries.completion(call.part, result, call.seconds)


def plan(update: dict[str, Any]) -> NewEvent | None:
    steps = [
        {"content": clean(_text(entry.get("content"))), "status": _status(entry)}
        for entry in _objects(update.get("entries"))
    ]
    return NewEvent(EventType.PLAN, {"steps": steps}) if steps else None


def chunk(update: dict[str, Any]) -> str:
    """The text of a piece of speech."""
    return _block(update.get("content"))


def dollars(update: dict[str, Any]) -> float:
    """What the session has cost, as the agent says; 0 where it does not say it in that money."""
    cost = update.get("cost")
    told = cost if isinstance(cost, dict) else {}
    amount = told.get("amount")
    if not isinstance(amount, int | float) or told.get("currency") != "USD":
        return 0.0
    return float(min(max(0, amount), MOST_DOLLARS))


def count(value: Any) -> int:
    """Tokens, as the agent says."""
    return int(min(max(0, value), MOST_TOKENS)) if isinstance(value, int) else 0


def _status(entry: dict[str, Any]) -> str:
    said = _text(entry.get("status"))
    return said if said in STATUSES else "pending"


def _content(value: Any) -> str:
    """Text and changed files of a call's `content`."""
    said = []
    for item in _objects(value):
        match item.get("type"):
            case "content":
                said.append(_block(item.get("content")))
            case "diff":
                said.append(f"{_text(item.get('path'))} was written")
    return "\n".join(filter(None, said))


def _block(value: Any) -> str:
    block = value if isinstance(value, dict) else {}
    match block.get("type"):
        case "text":
            return _text(block.get("text"))
        case "resource":
            inner = block.get("resource")
            return _text(inner.get("text")) if isinstance(inner, dict) else ""
        case "resource_link":
            return _text(block.get("uri"))
        case "image" | "audio" as kind:
            return f"[{kind}]"
        case _:
            return ""


def _output(raw: Any) -> str:
    if isinstance(raw, str):
        return raw
    if isinstance(raw, dict):
        for name in ("output", "formatted_output", "stdout", "content", "error"):
            if isinstance(said := raw.get(name), str) and said:
                return said
    return json.dumps(raw)


def _exit_code(raw: Any) -> int | None:
    """Agents write it where they like; here or one below."""
    if not isinstance(raw, dict):
        return None
    for place in (raw, raw.get("metadata"), raw.get("output")):
        for name in ("exitCode", "exit_code", "exit"):
            code = place.get(name) if isinstance(place, dict) else None
            if isinstance(code, int) and not isinstance(code, bool):
                return code
    return None


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""

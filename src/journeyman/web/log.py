"""A task's log as items to be drawn: a call and its result are one. Knows nothing of HTML pages.

What a template needs beyond an event's own data is worked out here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeyman.domain.events import Event, EventType
from journeyman.domain.queries import Cursor
from journeyman.domain.sessions import State
from journeyman.web import ansi
from journeyman.web.visible import one_line

OPEN_LINES = 16
"""An output or an edit of so many lines is shown at once; a longer one opens."""
SAID_IN = ("content", "reasoningText")
"""A reply that has neither only calls tools."""
SPEAKERS = {"limit": "Journeyman", "agent": "the agent"}
"""Who says what no person says."""
NOTE_MOST = 4000
"""Characters of what is said in one line."""
EDIT_LINES = 300
"""Of each side of an edit on the page of the log."""
PLAN_STATES = frozenset({"pending", "in_progress", "completed"})
HIDDEN = frozenset({EventType.TURN_START, EventType.INPUT_COMPLETED})
Data = Mapping[str, Any]
Edit = list[tuple[str, str]]


class Fields(dict[str, Any]):
    """An event's data as a template reads it: what is not there is nothing."""

    def __missing__(self, _key: str) -> None:
        return None


@dataclass
class Item:
    """One thing to draw. *kind* names the template's macro."""

    at: Cursor
    kind: str
    time: datetime
    data: Data
    key: str = ""
    """Of what comes in pieces: the element that a later piece goes to."""
    more: dict[str, Any] = field(default_factory=dict)


def items(
    events: Iterable[Event], people: Mapping[int, str], *, running: int | None = None
) -> list[Item]:
    """*running*: the session that is at work; a call without a result goes on only there."""
    made: list[Item] = []
    calls: dict[str, Item] = {}
    for event in events:
        if hidden(event):
            continue
        item = item_of(event, people)
        if item.kind == "result" and item.key in calls:
            calls[item.key].more["result"] = item
            continue
        if item.kind == "tool":
            calls[item.key] = item
            item.more["settled"] = event.session_number != running
        made.append(item)
    return made


def hidden(event: Event) -> bool:
    """What the entries around it say too."""
    if event.type is EventType.SESSION_STATE:
        return event.data.get("state") == State.IN_PROGRESS
    if event.type is EventType.MESSAGE:
        return not any(str(event.data.get(name) or "").strip() for name in SAID_IN)
    return event.type in HIDDEN


def item_of(event: Event, people: Mapping[int, str]) -> Item:
    at, data = Cursor(event.session_number, event.seq), Fields(event.data)
    build = _BUILDERS.get(event.type)
    kind, key, more = build(data) if build else ("note", "", _note(event.type, data))
    if kind == "note" and len(more["text"]) > NOTE_MOST:
        more["text"] = f"{more['text'][:NOTE_MOST]} …"
    if event.type is EventType.USER_MESSAGE:
        speaker = SPEAKERS.get(str(data.get("source")), "somebody")
        more["login"] = people.get(_integer(data.get("userId")), speaker)
    return Item(at, kind, event.created_at, data, _key(at.session_number, key), more)


def key_of(session_number: int, kind: str, name: object) -> str:
    return _key(session_number, f"{kind}:{name}")


def _key(session_number: int, name: str) -> str:
    """An element's id for a name that may be any text."""
    if not name:
        return ""
    written = f"{session_number}:{name}".encode(errors="backslashreplace")
    return f"x{hashlib.sha256(written).hexdigest()[:16]}"


Built = tuple[str, str, dict[str, Any]]


def _tool(data: Data) -> Built:
    arguments = data.get("arguments")
    named = arguments if isinstance(arguments, dict) else {"arguments": arguments}
    name = str(data.get("toolName", ""))
    more: dict[str, Any] = {
        "name": name,
        "arguments": Fields(named),
        "summary": _summary(name, named),
    }
    more["settled"] = False
    more["long"] = str(named.get("command", "")).strip() != more["summary"]
    more["open"] = name == "bash"
    if name == "edit":
        more["edit"] = _edit(named)
        more["open"] = len(more["edit"]) <= OPEN_LINES
    elif name not in ("bash", "create", "report_progress"):
        more["json"] = json.dumps(named, indent=2, ensure_ascii=False)
    return "tool", f"call:{data.get('toolCallId')}", more


def _summary(name: str, arguments: Data) -> str:
    match name:
        case "bash":
            return one_line(arguments.get("command", ""))
        case "report_progress":
            return one_line(arguments.get("commit_message", ""))
        case "search":
            where = f"  in {arguments['path']}" if arguments.get("path") else ""
            return one_line(f"{arguments.get('pattern', '')}{where}")
    return one_line(arguments.get("path") or next(iter(arguments.values()), ""))


def _edit(arguments: Data) -> Edit:
    old, new = str(arguments.get("old", "")), str(arguments.get("new", ""))
    return [*_signed("-", old), *_signed("+", new)]


def _signed(sign: str, text: str) -> Edit:
    if not text:
        return []
    lines = text.split("\n")
    shown = [(sign, line[: ansi.MOST_WIDTH]) for line in lines[:EDIT_LINES]]
    more = len(lines) - len(shown)
    return [*shown, ("", f"{more} more lines: see the changes")] if more else shown


def _result(data: Data) -> Built:
    failed = data.get("success") is False
    said = data.get("error") if failed and data.get("error") else data.get("result")
    said = said if isinstance(said, dict) else {}
    output = ansi.output(str(said.get("message") or said.get("content") or ""))
    more = {
        "failed": failed,
        "output": output,
        "open": failed or output.lines <= OPEN_LINES,
        "seconds": _integer(data.get("duration")) / 1000,
        "name": str(data.get("toolName", "")),
    }
    return "result", f"call:{data.get('toolCallId')}", more


def _message(data: Data) -> Built:
    return "message", f"message:{data.get('messageId')}", {}


def _question(data: Data) -> Built:
    choices = data.get("choices")
    listed = [str(choice) for choice in choices] if isinstance(choices, list) else []
    return "question", "", {"choices": listed, "freeform": data.get("allowFreeform") is not False}


@dataclass(frozen=True)
class Step:
    """Of the agent's plan."""

    content: str
    status: str
    """pending, in_progress or completed."""


def plan_of(data: Data) -> list[Step]:
    """What a plan's event says, whatever it says."""
    steps = data.get("steps")
    found = []
    for step in steps if isinstance(steps, list) else []:
        if isinstance(step, dict):
            status = str(step.get("status"))
            known = status if status in PLAN_STATES else "pending"
            found.append(Step(str(step.get("content", "")), known))
    return found


def _plan(data: Data) -> Built:
    steps = plan_of(data)
    return "plan", "", {"steps": steps, "done": sum(step.status == "completed" for step in steps)}


def _usage(data: Data) -> Built:
    cost = data.get("cost")
    return "usage", "", {"nano_credits": cost if isinstance(cost, int) else None}


def _start(data: Data) -> Built:
    sandbox = data.get("sandbox")
    held = sandbox if isinstance(sandbox, dict) else {}
    return "start", "", {"guarantees": {str(name): str(value) for name, value in held.items()}}


def _state(data: Data) -> Built:
    state = str(data.get("state"))
    return "state", "", {"state": state if state in set(State) else State.IDLE}


def _artifact(data: Data) -> Built:
    made = data.get("data")
    return "artifact", "", {"made": Fields(made if isinstance(made, dict) else {})}


def _plain(kind: str) -> Callable[[Data], Built]:
    return lambda _data: (kind, "", {})


_BUILDERS: Mapping[EventType, Callable[[Data], Built]] = {
    EventType.SESSION_START: _start,
    EventType.SESSION_STATE: _state,
    EventType.USER_MESSAGE: _plain("user"),
    EventType.INPUT_REQUESTED: _question,
    EventType.PLAN: _plan,
    EventType.MESSAGE: _message,
    EventType.USAGE: _usage,
    EventType.TOOL_START: _tool,
    EventType.TOOL_COMPLETE: _result,
    EventType.ARTIFACT: _artifact,
}


def _note(kind: EventType, data: Data) -> dict[str, Any]:
    """Of what is said in one line: an icon, a tone and the words."""
    match kind:
        case EventType.SESSION_RESUME:
            said = str(data.get("reason") or f"run {data.get('run', '')}".strip())
            return {"icon": "resume", "tone": "", "text": f"Goes on ({said})"}
        case EventType.SESSION_ERROR:
            return {"icon": "failed", "tone": "bad", "text": str(data.get("message", ""))}
        case EventType.MODEL_RETRY:
            text = f"The model did not answer (try {data.get('attempt')}): {data.get('error')}"
            return {"icon": "resume", "tone": "warn", "text": text}
        case EventType.ABORT:
            return {"icon": "cancelled", "tone": "warn", "text": f"Stopped: {data.get('reason')}"}
        case EventType.CHECKPOINT:
            count = _integer(data.get("changedFiles"))
            files = f"{count} changed file{'' if count == 1 else 's'}"
            text = f"Saved {files} at {str(data.get('sha', ''))[:7]}"
            return {"icon": "checkpoint", "tone": "", "text": text}
        case EventType.FIREWALL_BLOCKED:
            port, count = _integer(data.get("port")), _integer(data.get("count"))
            place = f"{data.get('host')}{f':{port}' if port else ''}"
            times = f" {count} times" if count > 1 else ""
            by = f": {data['command']}" if data.get("command") else ""
            text = f"The firewall blocked {place}{times}{by}"
            return {"icon": "cancelled", "tone": "warn", "text": text}
    return {"icon": "info", "tone": "", "text": str(data.get("message") or kind)}


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0

"""A task's log as items to be drawn: a call and its result are one. Knows nothing of HTML pages.

What a template needs beyond an event's own data is worked out here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from journeyman.domain.events import Event, EventType
from journeyman.domain.queries import Cursor
from journeyman.domain.sessions import State
from journeyman.web import calls, remarks
from journeyman.web.fields import Data, Fields, integer

SAID_IN = ("content", "reasoningText")
"""A reply that has neither only calls tools."""
SPEAKERS = {
    "limit": "Journeyman",
    "checks": "Journeyman",
    "agent": "the agent",
    "hooks": "a hook",
}
"""Who says what no person says."""
HIDDEN = frozenset({EventType.TURN_START, EventType.INPUT_COMPLETED, EventType.PLAN})


@dataclass
class Item:
    """One thing to draw. *kind* names the template's macro."""

    at: Cursor
    kind: str
    time: datetime
    data: Data
    key: str = ""
    """Of what comes in pieces: the element that a later piece goes to."""
    within: str = ""
    """The key of the call whose sub-agent it is of."""
    more: dict[str, Any] = field(default_factory=dict)


def items(
    events: Iterable[Event], people: Mapping[int, str], *, running: int | None = None
) -> list[Item]:
    """*running*: the session that is at work; a call without a result goes on only there."""
    made: list[Item] = []
    begun: dict[str, Item] = {}
    for event in events:
        if hidden(event):
            continue
        item = item_of(event, people)
        if item.kind == "result" and item.key in begun:
            begun[item.key].more["result"] = item
            continue
        if item.kind == "tool":
            begun[item.key] = item
            item.more["settled"] = event.session_number != running
        above = begun.get(item.within)
        (made if above is None else above.more["inside"]).append(item)
    return made


def flat(found: Iterable[Item]) -> Iterator[Item]:
    """With what sub-agents did, in the order it is drawn."""
    for item in found:
        yield item
        yield from flat(item.more.get("inside", ()))


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
    kind, key, more = build(data) if build else _remark(event.type, data)
    if event.type is EventType.USER_MESSAGE:
        source = str(data.get("source"))
        speaker = SPEAKERS.get(source, "somebody")
        more |= {"login": people.get(integer(data.get("userId")), speaker)}
        more |= {"machine": source in SPEAKERS}
    caller = data.get("parentToolCallId")
    within = key_of(at.session_number, "call", caller) if caller else ""
    key = _key(at.session_number, key)
    return Item(at, kind, event.created_at, data, key, within, more)


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
    return "tool", f"call:{data.get('toolCallId')}", calls.call(data)


def _result(data: Data) -> Built:
    return "result", f"call:{data.get('toolCallId')}", calls.result(data)


def _message(data: Data) -> Built:
    return "message", f"message:{data.get('messageId')}", {}


def _question(data: Data) -> Built:
    choices = data.get("choices")
    listed = [str(choice) for choice in choices] if isinstance(choices, list) else []
    return "question", "", {"choices": listed, "freeform": data.get("allowFreeform") is not False}


def _checks(data: Data) -> Built:
    results = data.get("results")
    listed = results if isinstance(results, list) else []
    return "checks", "", {"results": [Fields(one) for one in listed if isinstance(one, dict)]}


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


def _remark(kind: EventType, data: Data) -> Built:
    return "note", "", {"remark": remarks.of(kind, data)}


def _plain(kind: str) -> Callable[[Data], Built]:
    return lambda _data: (kind, "", {})


_BUILDERS: Mapping[EventType, Callable[[Data], Built]] = {
    EventType.SESSION_START: _start,
    EventType.SESSION_STATE: _state,
    EventType.USER_MESSAGE: _plain("user"),
    EventType.INPUT_REQUESTED: _question,
    EventType.MESSAGE: _message,
    EventType.USAGE: _usage,
    EventType.TOOL_START: _tool,
    EventType.TOOL_COMPLETE: _result,
    EventType.CHECKS: _checks,
    EventType.ARTIFACT: _artifact,
}

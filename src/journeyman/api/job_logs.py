"""A session's log as `gh agent-task view --log` reads it: lines of `data: {chat.completion.chunk}`.

The text only ever grows at its end, which is what `--follow` relies on. Each tool call is told
once, when it is done, under the names that gh has a picture for. Knows nothing of how the log is
kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from journeyman.api import responses, wire
from journeyman.domain.events import Event, EventType
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import FINAL

CHECKOUT = "/home/runner/work"
"""gh takes this, the owner and the repository off the front of every path."""
ENDS = frozenset(FINAL)
NOTHING = "\n"
"""A call whose chunk has no content is taken for one that still runs."""
NAMES = {
    "report_progress": {"commit_message": "commitMessage", "pr_description": "prDescription"},
    "create": {"content": "file_text"},
    "edit": {"old": "old_str", "new": "new_str"},
}
"""The arguments that gh knows by another name."""
Delta = dict[str, Any]


class JobLog:
    """Written event by event, in their order."""

    def __init__(self, repository: Repository) -> None:
        self._root = f"{CHECKOUT}/{repository.full_name}"
        self._started: dict[str, dict[str, Any]] = {}
        """Arguments by call: the event that ends a call does not repeat them."""

    def lines(self, events: Iterable[Event]) -> Iterator[bytes]:
        for event in events:
            for delta, finish in self._deltas(event):
                yield b"data: " + responses.encode(_chunk(event, delta, finish)) + b"\n\n"

    def _deltas(self, event: Event) -> Iterator[tuple[Delta, str | None]]:
        data = event.data
        match event.type:
            case EventType.SESSION_START:
                name = f"Start on {data.get('headRef', 'a branch')}"
                yield _call(_id(event), "run_setup", {"name": name}, name), None
            case EventType.USER_MESSAGE:
                yield {"role": "user", "content": data["content"]}, None
            case EventType.MESSAGE:
                yield from ((delta, None) for delta in _said(data))
            case EventType.TOOL_START:
                self._started[data["toolCallId"]] = data.get("arguments") or {}
            case EventType.TOOL_COMPLETE:
                yield self._called(data), None
            case EventType.INPUT_REQUESTED:
                yield _text(data["question"]), None
            case EventType.SESSION_ERROR | EventType.SESSION_INFO:
                yield _text(data["message"]), None
            case EventType.SESSION_STATE if data["state"] in ENDS:
                yield _text(data.get("message") or ""), "stop"

    def _called(self, data: dict[str, Any]) -> Delta:
        name, given = data["toolName"], self._started.pop(data["toolCallId"], {})
        told = {NAMES.get(name, {}).get(key, key): value for key, value in given.items()}
        if isinstance(told.get("path"), str):
            told["path"] = self._absolute(told["path"])
        content = _outcome(data)
        if name == "edit":
            name, content = "str_replace", _difference(given, data) or content
        return _call(data["toolCallId"], name, told, content)

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else f"{self._root}/{path.removeprefix('./')}"


def _chunk(event: Event, delta: Delta, finish: str | None) -> dict[str, Any]:
    return {
        "id": _id(event),
        "object": "chat.completion.chunk",
        "created": int(event.created_at.timestamp()),
        "model": "",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def _id(event: Event) -> str:
    return f"{event.session_id}-{wire.cursor(event)}"


def _text(content: str) -> Delta:
    return {"role": "assistant", "content": content}


def _said(data: dict[str, Any]) -> Iterator[Delta]:
    for text in (data.get("reasoningText"), data.get("content")):
        if text:
            yield _text(text)


def _call(call_id: str, name: str, arguments: dict[str, Any], content: str) -> Delta:
    written = {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)}
    call = {"index": 0, "id": call_id, "type": "function", "function": written}
    return {"role": "assistant", "content": content or NOTHING, "tool_calls": [call]}


def _outcome(data: dict[str, Any]) -> str:
    result, error = data.get("result") or {}, data.get("error") or {}
    return str(result.get("content") or error.get("message") or "")


def _difference(given: dict[str, Any], data: dict[str, Any]) -> str:
    """gh shows an edit as a diff. Empty where nothing was changed."""
    if not data.get("success"):
        return ""
    before, after = str(given.get("old", "")), str(given.get("new", ""))
    lines = [f"-{line}" for line in before.splitlines()]
    return "\n".join([*lines, *(f"+{line}" for line in after.splitlines())])

"""What a model and its tools said to each other in one session: the file that `replay` plays.

JSON Lines. The first line is the heading, each further one an entry of one of three types; unknown
fields are ignored. Described for users in docs/replay.md. Knows nothing of models.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from journeyman.domain.hygiene import visible

MARK, VERSION = "recording", 1
REPLY, RESULT, MESSAGE = "reply", "result", "message"


class NotARecording(ValueError):
    """The file is none, or of a version that is not known here."""


@dataclass(frozen=True)
class Entry:
    """*thread*: empty for the agent itself, for a sub-agent the call that began it."""

    type: str
    thread: str = ""
    content: str = ""
    reasoning: str = ""
    """Of a reply."""
    calls: Sequence[Mapping[str, Any]] = ()
    """Of a reply: id, name, arguments of each."""
    call: str = ""
    """Of a result: the id of its call."""
    name: str = ""
    """Of a result: the tool."""
    success: bool = True
    source: str = ""
    """Of a message: prompt, steer, answer, limit, checks or agent."""


@dataclass(frozen=True)
class Recording:
    repository: str
    base_ref: str
    base_sha: str
    head_ref: str
    model: str
    prompt: str
    entries: Sequence[Entry] = field(default=())

    @cached_property
    def replies(self) -> Mapping[str, Sequence[Entry]]:
        """By thread."""
        found = defaultdict[str, list[Entry]](list)
        for one in self.entries:
            if one.type == REPLY:
                found[one.thread].append(one)
        return found

    def results(self) -> dict[tuple[str, str], Entry]:
        """By thread and call, in their order."""
        return {(one.thread, one.call): one for one in self.entries if one.type == RESULT}

    @cached_property
    def threads(self) -> Mapping[str, str]:
        """The first words to each agent, and which thread is its."""
        given = {
            visible(one.content): one.thread
            for one in reversed(self.entries)
            if one.type == MESSAGE and one.source == "agent"
        }
        return {**given, visible(self.prompt): ""}

    def dump(self) -> str:
        heading = {key: value for key, value in asdict(self).items() if key != "entries"}
        lines = [{"type": MARK, "version": VERSION, **heading}, *map(_slim, self.entries)]
        return "".join(f"{json.dumps(line, ensure_ascii=False)}\n" for line in lines)


def from_events(events: Iterable[Mapping[str, Any]]) -> Recording:
    """Of the first session in *events*, as the API serves them. NotARecording without a start."""
    heading: dict[str, str] | None = None
    prompt, entries = "", list[Entry]()
    for event in events:
        kind, data = event["type"], event["data"]
        if kind == "session.start":
            if heading is not None:
                break  # a follow-up
            heading = {
                "repository": data["repository"],
                "base_ref": data["baseRef"],
                "base_sha": data["baseSha"],
                "head_ref": data["headRef"],
                "model": data["model"],
            }
        elif kind == "user.message" and data.get("source") == "prompt":
            prompt = prompt or data["content"]
        elif (entry := _entry(kind, data)) is not None:
            entries.append(entry)
    if heading is None:
        raise NotARecording("its work never began, or has not yet: there is nothing to record")
    return Recording(prompt=prompt, entries=entries, **heading)


def load(text: str) -> Recording:
    try:
        heading, *rest = [json.loads(line) for line in text.splitlines() if line.strip()]
        if heading.pop("type") != MARK:
            raise NotARecording(f"its first line is not of the type {MARK!r}")
        if (version := heading.pop("version")) != VERSION:
            raise NotARecording(f"it is of version {version}; only {VERSION} is known here")
        entries = [Entry(**_known(entry, Entry)) for entry in rest]
        return Recording(**_known(heading, Recording), entries=entries)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        if isinstance(error, NotARecording):
            raise
        raise NotARecording(f"it is no recording: {error}") from error


def _entry(kind: str, data: Mapping[str, Any]) -> Entry | None:
    thread = data.get("parentToolCallId") or ""
    match kind:
        case "assistant.message":
            calls = [
                {"id": one["toolCallId"], "name": one["name"], "arguments": one["arguments"]}
                for one in data.get("toolRequests") or ()
            ]
            reasoning = data.get("reasoningText") or ""
            return Entry(REPLY, thread, data.get("content") or "", reasoning, calls)
        case "tool.execution_complete":
            said = data.get("result") or data.get("error") or {}
            content = said.get("content") or said.get("message") or ""
            return Entry(
                RESULT,
                thread,
                content,
                call=data["toolCallId"],
                name=data["toolName"],
                success=bool(data.get("success")),
            )
        case "user.message":
            return Entry(MESSAGE, thread, data["content"], source=data.get("source") or "")
    return None


def _slim(entry: Entry) -> dict[str, Any]:
    usual = Entry(entry.type)
    return {
        key: value
        for key, value in asdict(entry).items()
        if key == "type" or value != getattr(usual, key)
    }


def _known(found: Mapping[str, Any], kind: type) -> dict[str, Any]:
    return {key: value for key, value in found.items() if key in kind.__dataclass_fields__}  # type: ignore[attr-defined]

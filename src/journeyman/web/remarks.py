"""What is said of an event in one line: an icon, a tone and the words; what is longer opens.

Knows nothing of HTML.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from journeyman.domain.events import EventType
from journeyman.web.fields import Data, integer

MOST_TEXT = 4000
MOST_BODY = 20_000
DECISIONS = ("permissionDecision", "permissionDecisionReason", "decision", "reason")
"""Of a hook's answer."""
TONES = {"failed": "bad", "customisation_warning": "warn"}
"""Of a session's information, by its outcome or its kind."""


@dataclass(frozen=True)
class Remark:
    icon: str
    text: str
    tone: str = ""
    """bad, warn or nothing."""
    body: str = ""
    """What opens below."""


def of(kind: EventType, data: Data) -> Remark:
    if kind in _BUILDERS:
        return _BUILDERS[kind](data)
    match kind:
        case EventType.SESSION_RESUME:
            said = str(data.get("reason") or f"run {data.get('run', '')}".strip())
            return Remark("resume", f"Goes on ({said})")
        case EventType.SESSION_ERROR:
            return Remark("failed", _text(data.get("message")), "bad")
        case EventType.MODEL_CHANGE:
            models = f"{data.get('newModel')} instead of {data.get('previousModel')}"
            return Remark("agent", _text(f"From here on {models}: {data.get('reason')}"), "warn")
        case EventType.MODEL_RETRY:
            text = f"The model did not answer (try {data.get('attempt')}): {data.get('error')}"
            return Remark("resume", _text(text), "warn")
        case EventType.ABORT:
            return Remark("cancelled", _text(f"Stopped: {data.get('reason')}"), "warn")
        case EventType.CHECKPOINT:
            count = integer(data.get("changedFiles"))
            files = f"{count} changed file{'' if count == 1 else 's'}"
            return Remark("checkpoint", f"Saved {files} at {str(data.get('sha', ''))[:7]}")
        case EventType.FIREWALL_BLOCKED:
            return Remark("cancelled", _text(_blocked(data)), "warn")
    return _unknown(kind, data)


def _info(data: Data) -> Remark:
    tone = TONES.get(str(data.get("outcome")), TONES.get(str(data.get("infoType")), ""))
    symbol = {"bad": "failed", "warn": "warning"}.get(tone, "info")
    return Remark(symbol, _text(data.get("message")), tone, _body(data.get("output")))


def _compaction(data: Data) -> Remark:
    before = f"it had {integer(data.get('tokensBefore')):,} tokens"
    if data.get("kind") == "summarised":
        said = f"The conversation was summed up for the model: {before}"
        return Remark("down", said, "", _body(data.get("summaryContent")))
    return Remark("down", f"Older outputs were left out of what the model sees: {before}")


def _blocked(data: Data) -> str:
    port, count = integer(data.get("port")), integer(data.get("count"))
    place = f"{data.get('host')}{f':{port}' if port else ''}"
    times = f" {count} times" if count > 1 else ""
    by = f": {data['command']}" if data.get("command") else ""
    return f"The firewall blocked {place}{times}{by}"


def _hook(data: Data) -> Remark:
    """What it decided, or what went wrong with it."""
    name = f"Hook {data.get('hookType')} of {data.get('source')}"
    error, said = data.get("error"), data.get("output")
    if error:
        why = error.get("message") if isinstance(error, dict) else error
        return Remark("settings", _text(f"{name}: {why}"), "warn", _body(_shown(said)))
    words = [str(said[key]) for key in DECISIONS if said.get(key)] if isinstance(said, dict) else []
    return Remark("settings", _text(": ".join([name, *words])), "", _body(_shown(said)))


def _servers(data: Data) -> Remark:
    listed = data.get("servers")
    found = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    up = sum(one.get("status") == "connected" for one in found)
    lines = []
    for one in found:
        tools = one.get("tools")
        names = ", ".join(map(str, tools)) if isinstance(tools, list) else ""
        lines.append(f"{one.get('name')} ({one.get('status')}): {one.get('error') or names}")
    text = f"MCP servers: {up} of {len(found)} there"
    return Remark("tool", text, "" if up == len(found) else "warn", _body("\n".join(lines)))


def _shown(said: object) -> str:
    if said is None or isinstance(said, str):
        return said or ""
    return json.dumps(said, indent=2, ensure_ascii=False)


_BUILDERS: Mapping[EventType, Callable[[Data], Remark]] = {
    EventType.SESSION_INFO: _info,
    EventType.COMPACTION: _compaction,
    EventType.HOOK_END: _hook,
    EventType.MCP_SERVERS: _servers,
}


def _unknown(kind: EventType, data: Data) -> Remark:
    """Of an event that a newer version has: its words, or all that it says."""
    if data.get("message"):
        return Remark("info", _text(data["message"]))
    shown = {name: value for name, value in data.items() if name != "parentToolCallId"}
    return Remark("info", kind, "", _body(json.dumps(shown, indent=2, ensure_ascii=False)))


def _text(value: object) -> str:
    text = str(value or "")
    return text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]} …"


def _body(value: object) -> str:
    text = str(value or "").strip()
    return text if len(text) <= MOST_BODY else f"{text[:MOST_BODY]}\n…"

"""A task's events as lines for people. Knows nothing of how they arrived."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.text import Text

from journeyman.cli import output

OUTPUT_LINES = 40
"""Of one command's output; the middle of what is longer is left out. `--json` has it all."""

HOOK_WORDS = ("permissionDecision", "permissionDecisionReason", "decision", "reason")
"""Of a hook's answer: what it decided, and why."""
Data = dict[str, Any]


class Log:
    """Prints one event after the other, and remembers what goes on right now."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.activity = "waiting for a worker"
        """What the task does now, for a spinner."""

    def show(self, event: dict[str, Any]) -> None:
        """Events of types that are not known yet are left out: a newer server may have more."""
        self.note(event)
        kind, data = str(event.get("type", "")), event.get("data") or {}
        draw = _LINES.get(kind)
        if draw is None or not (body := draw(data)):
            return
        stamp = output.moment(event["timestamp"]).astimezone() if event.get("timestamp") else None
        margin = f"{stamp:%H:%M:%S}  " if stamp else " " * 10
        within = "┆ " if data.get("parentToolCallId") else ""
        for line in body.split("\n"):
            self.console.print(Text.assemble((margin + within, "dim"), line), soft_wrap=True)
            margin = " " * 10

    def note(self, event: dict[str, Any]) -> None:
        """Remember what goes on without printing it."""
        kind, data = str(event.get("type", "")), event.get("data") or {}
        self.activity = _activity(kind, data) or self.activity


def _activity(kind: str, data: Data) -> str | None:
    match kind:
        case "session.start" | "session.resume":
            return "preparing"
        case "assistant.turn_start" | "tool.execution_complete":
            return "thinking"
        case "tool.execution_start":
            return f"running {_call(data).plain}"
        case "tool.execution_partial_result":
            lines = output.clean(_string(data.get("partialOutput"))).strip().splitlines()
            return lines[-1] if lines else None
        case "session.state_changed":
            return _string(data.get("state")).replace("_", " ")
    return None


def _start(data: Data) -> Text:
    place = f"{_string(data.get('baseRef'))}@{_string(data.get('baseSha'))[:7]}".rstrip("@")
    line = Text.assemble(("▶ ", "bold blue"), (f"session on {place}", "bold"))
    for key, word in (("headRef", "branch"), ("model", "model")):
        if data.get(key):
            line.append(f"  {word} ", style="dim").append(output.clean(_string(data[key])))
    return line


def _resume(data: Data) -> Text:
    again = data.get("attempt", 1) != 1
    return Text(f"↻ goes on ({'another worker took it up' if again else 'resumed'})", style="blue")


def _state(data: Data) -> Text:
    state = output.state(_string(data.get("state")), _string(data.get("stateReason")) or None)
    message = output.clean(_string(data.get("message")))
    return Text.assemble(state, f"  {message}") if message else state


def _user(data: Data) -> Text:
    return _block("» ", "bold magenta", _string(data.get("content")))


def _question(data: Data) -> Text:
    text = _block("? ", "bold magenta", _string(data.get("question")))
    for choice in data.get("choices") or ():
        text.append(f"\n  • {output.clean(_string(choice))}")
    return text


def _message(data: Data) -> Text:
    return _block("● ", "bold cyan", _string(data.get("content")))


def _tool_start(data: Data) -> Text:
    return _call(data)


def _call(data: Data) -> Text:
    """`$ command` for a shell; the tool's name and its first argument for the others."""
    name = output.clean(_string(data.get("toolName")))
    arguments = data.get("arguments")
    arguments = arguments if isinstance(arguments, dict) else {}
    if name == "bash" and arguments.get("command"):
        command = output.clean(_string(arguments["command"])).strip().replace("\n", "\n  ")
        return Text.assemble(("$ ", "bold green"), (command, "bold"))
    first = output.clean(_string(next(iter(arguments.values()), ""))).strip().split("\n")[0]
    return Text.assemble((f"▸ {name} ", "bold"), first)


def _tool_complete(data: Data) -> Text | None:
    failed = data.get("success") is False
    error, result = data.get("error"), data.get("result")
    said = error if failed and isinstance(error, dict) else result
    said = said if isinstance(said, dict) else {}
    text = _string(said.get("message") or said.get("content"))
    lines = _shortened(output.clean(text).strip("\n").split("\n")) if text.strip() else []
    body = Text("\n".join(f"  {line}" for line in lines), style="dim")
    if not failed:
        return body if lines else None
    return Text.assemble(body, "\n" if lines else "", ("  ✗ failed", "red"))


def _shortened(lines: list[str]) -> list[str]:
    if len(lines) <= OUTPUT_LINES:
        return lines
    half = OUTPUT_LINES // 2
    return [*lines[:half], f"… {len(lines) - 2 * half} lines left out …", *lines[-half:]]


def _usage(data: Data) -> Text | None:
    tokens = [data.get("inputTokens") or 0, data.get("outputTokens") or 0]
    if not any(tokens):
        return None
    line = f"· {tokens[0]:,} tokens in, {tokens[1]:,} out"
    cost = data.get("cost")
    # One credit is a cent of a dollar.
    return Text(line + (f", ${cost / 1e11:.4f}" if cost else ""), style="dim")


def _checkpoint(data: Data) -> Text:
    files = int(data.get("changedFiles") or 0)
    return Text(f"· saved: {files} changed file{'' if files == 1 else 's'}", style="dim")


def _artifact(data: Data) -> Text:
    made = data.get("data")
    made = made if isinstance(made, dict) else {}
    sign = "⎇ " if data.get("type") == "branch" else "⇄ "
    return Text.assemble((sign, "bold green"), artifact(_string(data.get("type")), made))


def artifact(kind: str, made: Data) -> str:
    if kind == "branch":
        return output.clean(f"branch {made.get('head_ref') or made.get('headRef')}")
    number = made.get("number")
    address = _string(made.get("html_url") or made.get("url"))
    named = f"pull request #{number}" if number else f"pull request (id {made.get('id')})"
    return output.clean(f"{named}  {address}".rstrip())


def _retry(data: Data) -> Text:
    error = output.clean(_string(data.get("error")))
    return Text(f"↻ attempt {data.get('attempt')} failed: {error}", style="yellow")


def _info(data: Data) -> Text:
    return Text(f"· {output.clean(_string(data.get('message')))}", style="dim")


def _servers(data: Data) -> Text:
    lines = ["MCP servers:"]
    for one in data.get("servers") or ():
        sign = "✓" if one.get("status") == "connected" else "✗"
        said = one.get("error") or ", ".join(map(_string, one.get("tools") or ())) or "no tools"
        lines.append(output.clean(f"  {sign} {_string(one.get('name'))}: {_string(said)}"))
    return Text("\n".join(lines), style="dim")


def _hook(data: Data) -> Text:
    error = data.get("error")
    failed = isinstance(error, dict) and _string(error.get("message"))
    line = f"⚓ {_string(data.get('hookType'))} hook, {_string(data.get('source'))}"
    said = failed or _said_by_hook(data.get("output"))
    return Text(output.clean(f"{line}: {said}" if said else line), "yellow" if failed else "dim")


def _said_by_hook(said: Any) -> str:
    """What it decided, in one line; JSON that is not known stays JSON."""
    if not isinstance(said, dict):
        return _string(said).strip().split("\n")[0]
    words = [_string(said[key]) for key in HOOK_WORDS if said.get(key)]
    return ", ".join(words) or json.dumps(said, ensure_ascii=False)


def _plan(data: Data) -> Text:
    lines = ["the plan:"]
    for step in data.get("steps") or ():
        sign = {"completed": "☑", "in_progress": "◧"}.get(_string(step.get("status")), "☐")
        lines.append(f"  {sign} {output.clean(_string(step.get('content')))}")
    return Text("\n".join(lines), style="cyan")


def _checks(data: Data) -> Text:
    lines = ["checked before it is delivered:"]
    for one in data.get("results") or ():
        sign = {"passed": "✓", "failed": "✗"}.get(_string(one.get("status")), "-")
        message = output.clean(_string(one.get("message"))).replace("\n", "\n      ")
        lines.append(f"  {sign} {output.clean(_string(one.get('name')))}: {message}")
    return Text("\n".join(lines))


def _blocked(data: Data) -> Text:
    port, count = data.get("port"), int(data.get("count") or 1)
    place = f"{_string(data.get('host'))}{f':{port}' if port else ''}"
    line = f"⊘ the firewall blocked {place}{f', {count} times' if count > 1 else ''}"
    command = _string(data.get("command"))
    return Text(output.clean(f"{line}: {command}" if command else line), style="yellow")


def _error(data: Data) -> Text:
    return _block("✗ ", "bold red", _string(data.get("message")), "red")


def _abort(data: Data) -> Text:
    return Text(f"⊘ stopped: {output.clean(_string(data.get('reason')))}", style="yellow")


def _block(mark: str, mark_style: str, text: str, style: str = "default") -> Text:
    body = output.clean(text).strip().replace("\n", "\n  ")
    return Text.assemble((mark, mark_style), (body, style))


def _string(value: Any) -> str:
    return "" if value is None else str(value)


_LINES: dict[str, Callable[[Data], Text | None]] = {
    "session.start": _start,
    "session.resume": _resume,
    "session.state_changed": _state,
    "session.info": _info,
    "session.error": _error,
    "session.mcp_servers_loaded": _servers,
    "hook.end": _hook,
    "user.message": _user,
    "user_input.requested": _question,
    "assistant.message": _message,
    "assistant.usage": _usage,
    "assistant.retry": _retry,
    "tool.execution_start": _tool_start,
    "tool.execution_complete": _tool_complete,
    "workspace.checkpoint": _checkpoint,
    "artifact.created": _artifact,
    "firewall.blocked": _blocked,
    "plan": _plan,
    "checks.completed": _checks,
    "abort": _abort,
}

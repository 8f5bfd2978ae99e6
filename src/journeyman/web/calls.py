"""Tool calls as they are drawn: what was called, in a line and whole, and what came of it.

Knows nothing of the log they stand in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from journeyman.web import ansi, plans
from journeyman.web.fields import Data, Fields, integer
from journeyman.web.visible import one_line

EDITS = frozenset({"apply_patch", "create", "edit"})
"""Their success tells again what the call shows."""
OPEN_LINES = 16
"""An output or an edit of so many lines is shown at once; a longer one opens."""
EDIT_LINES = 300
"""Of each side of an edit on the page of the log."""
SPOKEN = frozenset({"bash", "create", "plan", "report_progress", "task"})
"""Tools whose arguments are drawn in a way of their own."""
PATCHED = re.compile(r"^\*\*\* (?:Add|Update|Delete) File: (.+)$", re.MULTILINE)
Edit = list[tuple[str, str]]


def call(data: Data) -> dict[str, Any]:
    given = data.get("arguments")
    named = given if isinstance(given, dict) else {"arguments": given}
    name = str(data.get("toolName", ""))
    summary = _summary(name, named)
    more: dict[str, Any] = {
        "name": name,
        "arguments": Fields(named),
        "summary": summary,
        "settled": False,
        "long": str(named.get("command", "")).strip() != summary,
        "open": name == "bash",
        "inside": [],
    }
    if (edit := _edit(name, named)) is not None:
        more["edit"] = edit
        more["open"] = len(edit) <= OPEN_LINES
    elif name == "plan":
        more["steps"] = plans.steps_of(named)
    elif name not in SPOKEN and [str(value) for value in named.values()] != [summary]:
        more["json"] = json.dumps(named, indent=2, ensure_ascii=False)
    return more


def _summary(name: str, given: Data) -> str:
    match name:
        case "bash":
            return one_line(given.get("command", ""))
        case "report_progress":
            return one_line(given.get("commit_message", ""))
        case "search" | "glob":
            where = f"  in {given['path']}" if given.get("path") else ""
            return one_line(f"{given.get('pattern', '')}{where}")
        case "bash_wait" | "bash_kill":
            return one_line(f"job {given.get('job', '')}")
        case "plan":
            return plans.progress(plans.steps_of(given))
        case "task":
            return one_line(given.get("description", ""))
        case "apply_patch":
            return one_line(", ".join(PATCHED.findall(str(given.get("patch", "")))))
    return one_line(given.get("path") or next(iter(given.values()), ""))


def _edit(name: str, given: Data) -> Edit | None:
    """The lines of an edit with their signs; None for a call that is none."""
    if name == "edit":
        old, new = str(given.get("old", "")), str(given.get("new", ""))
        return [*_signed("-", old), *_signed("+", new)]
    if name == "apply_patch":
        return _cut([_line(line) for line in str(given.get("patch", "")).split("\n")])
    return None


def _signed(sign: str, text: str) -> Edit:
    """A last line's end begins no other line."""
    return _cut([(sign, line) for line in text.removesuffix("\n").split("\n")]) if text else []


def _line(text: str) -> tuple[str, str]:
    return (text[0], text[1:]) if text[:1] in ("+", "-", " ") else ("", text)


def _cut(lines: Edit) -> Edit:
    shown = [(sign, line[: ansi.MOST_WIDTH]) for sign, line in lines[:EDIT_LINES]]
    more = len(lines) - len(shown)
    return [*shown, ("", f"{more} more lines: see the changes")] if more else shown


def result(data: Data) -> dict[str, Any]:
    failed = data.get("success") is False
    said = data.get("error") if failed and data.get("error") else data.get("result")
    said = said if isinstance(said, Mapping) else {}
    text, name = (
        str(said.get("message") or said.get("content") or ""),
        str(data.get("toolName", "")),
    )
    if name in EDITS and not failed:
        text = text.partition("\n")[0]
    output = ansi.output(text)
    return {
        "failed": failed,
        "output": output,
        "open": failed or output.lines <= OPEN_LINES,
        "seconds": integer(data.get("duration")) / 1000,
        "name": name,
    }

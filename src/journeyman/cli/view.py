"""One task for people: its state, its sessions and what it made. Knows nothing of requests."""

from __future__ import annotations

import re
from typing import Any

from rich.text import Text

from journeyman.cli import log, output


def repository_of(task: dict[str, Any]) -> str:
    """OWNER/REPO, read from the task's addresses: GitHub's own field has only a number."""
    for address in (task.get("url"), task.get("html_url")):
        found = re.search(
            r"/repos/([^/]+/[^/]+)/tasks/|//[^/]+/([^/]+/[^/]+)/\w+/tasks/", str(address)
        )
        if found:
            return found[1] or found[2]
    return ""


def browse(task: dict[str, Any]) -> None:
    import typer

    address = str(task.get("html_url") or task.get("url") or "")
    print(address)
    if address.startswith(("http://", "https://")):
        typer.launch(address)


def print_task(task: dict[str, Any]) -> None:
    name = output.clean(task.get("name") or "")
    state = output.state(task["state"], task.get("state_reason"))
    output.console().print(Text.assemble(state, "  ", (name, "bold")), soft_wrap=True)
    output.print_fields(_lines(task))


def _lines(task: dict[str, Any]) -> list[tuple[str, Text]]:
    sessions: list[dict[str, Any]] = task.get("sessions") or []
    newest = sessions[-1] if sessions else {}
    error = newest.get("error")
    lines: list[tuple[str, str | Text]] = [
        ("error", Text(output.clean((error or {}).get("message") or ""), style="red")),
        ("id", task["id"]),
        ("repository", repository_of(task)),
        ("queue", f"number {task['queue_position']}" if task.get("queue_position") else ""),
        ("base", newest.get("base_ref") or ""),
        ("model", newest.get("model") or ""),
        ("created", output.ago(task.get("created_at"))),
        ("took", _took(newest)),
        ("usage", _usage(sessions)),
    ]
    for artifact in task.get("artifacts") or []:
        kind = "pull" if artifact["type"] == "pull" else "branch"
        made = log.artifact(kind, _with_address(task, artifact.get("data") or {}))
        lines.append(("made", Text(made, style="green")))
    lines.append(("address", task.get("html_url") or ""))
    if len(sessions) > 1:
        lines += [(f"session {n}", _session(session)) for n, session in enumerate(sessions, 1)]
    return [
        (name, value if isinstance(value, Text) else Text(output.clean(value)))
        for name, value in lines
        if str(value)
    ]


def _with_address(task: dict[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    return {**made, "html_url": page_of_pull(task, made["number"])} if "number" in made else made


def page_of_pull(task: dict[str, Any], number: int) -> str:
    """By which another forge's page is reached, too."""
    return f"{task.get('html_url') or ''}".partition("/agents/tasks/")[0] + f"/pull/{number}"


def _session(session: dict[str, Any]) -> Text:
    prompt = output.clean(session.get("prompt") or "").strip().split("\n")[0]
    return Text.assemble(output.state(session["state"]), f"  {prompt[:100]}")


def _took(session: dict[str, Any]) -> str:
    if not session.get("completed_at"):
        return ""
    took = output.moment(session["completed_at"]) - output.moment(session["created_at"])
    seconds = int(took.total_seconds())  # the API's times have no fractions
    return f"{seconds} s" if seconds else "less than a second"


def _usage(sessions: list[dict[str, Any]]) -> str:
    """AI credits: a whole number of nano credits each; summed first, then rounded."""
    usages = [session.get("usage") or {} for session in sessions]
    amount = sum(usage.get("amount") or 0 for usage in usages if usage.get("type") == "ai_credits")
    return f"{amount / 1e9:.1f} credits" if amount else ""

"""The line in a pull request by which a task knows its own, and the marks around what it adds to
others'."""

from __future__ import annotations

import re

SIGNED = "[Follow the agent's log]({})"
_MARK = re.compile(r"<!-- /?journeyman\b.*?(-->|$)", re.MULTILINE)


def log_url(public_url: str, full_name: str, task_id: str) -> str:
    """Where people read a task's log. *full_name*: of its repository, OWNER/NAME."""
    return f"{public_url}/{full_name}/agents/tasks/{task_id}"


def signature(login: str, log: str) -> str:
    """Who has asked for the work, and where its log is."""
    return f"Requested by @{login}. {SIGNED.format(log)}.\n"


def is_signed(body: str, task_id: str) -> bool:
    """By the task, whatever the server and the repository were called then."""
    log = SIGNED.partition("(")[0]
    place = rf"\([^()\s]*/agents/tasks/{re.escape(task_id)}\)"
    return re.search(re.escape(log) + place, body) is not None


def unmarked(body: str) -> str:
    """Without what would be taken for a mark of ours: a prompt and an agent may write anything."""
    return _MARK.sub("", body)

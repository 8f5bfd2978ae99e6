"""A task's log as it grows: reads the live stream, and goes on where it broke off.

Knows nothing of how an event looks on a terminal.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import httpx

from journeyman.cli.client import Client, refused, unreachable
from journeyman.domain.errors import AppError, Code
from journeyman.domain.queries import Cursor

SILENCE_SECONDS = 60
"""The server says something at least every 15 s, if only a comment."""
PATIENCE_SECONDS = 60
"""How long a server may be away before following it ends."""
PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0)


@dataclass(frozen=True)
class Entry:
    """One event of the stream; *cursor* is None for what is only live and never stored."""

    cursor: Cursor | None
    event: dict[str, Any]

    @property
    def type(self) -> str:
        return str(self.event.get("type", ""))

    @property
    def data(self) -> dict[str, Any]:
        data = self.event.get("data")
        return data if isinstance(data, dict) else {}


def follow(
    client: Client, task_id: str, *, until: frozenset[str], after: Cursor | None = None
) -> Iterator[Entry]:
    """Every event after *after*, each once, until the task is in one of the states *until*."""
    last = after or Cursor()
    failures, lost_at = 0, time.monotonic()
    while True:
        try:
            for entry in _stream(client, task_id, last):
                failures = 0
                if entry.cursor is not None:
                    if entry.cursor <= last:
                        continue
                    last = entry.cursor
                yield entry
                if _may_be_over(entry, until) and _is_over(client, task_id, last, until):
                    return
            if _is_over(client, task_id, last, until):
                return
            problem: httpx.HTTPError | None = None
        except httpx.HTTPError as exc:
            problem = exc
        if failures == 0:
            lost_at = time.monotonic()
        elif problem is not None and time.monotonic() - lost_at > PATIENCE_SECONDS:
            raise unreachable(client.url, problem) from problem
        time.sleep(PAUSES[min(failures, len(PAUSES) - 1)])
        failures += 1


def _stream(client: Client, task_id: str, after: Cursor) -> Iterator[Entry]:
    headers = {"Accept": "text/event-stream"}
    if after != Cursor():
        headers["Last-Event-ID"] = str(after)
    timeout = httpx.Timeout(10, read=SILENCE_SECONDS)
    path = client.task_path(task_id, "events")
    with client.http.stream("GET", path, headers=headers, timeout=timeout) as answer:
        if answer.status_code >= 500:
            raise httpx.RemoteProtocolError(f"the server answered {answer.status_code}")
        if not answer.is_success:
            answer.read()
            raise refused(answer)
        if not answer.headers.get("Content-Type", "").startswith("text/event-stream"):
            raise AppError(Code.UNAVAILABLE, f"{client.url} has no live stream of this task")
        yield from parse(answer.iter_lines())


def parse(lines: Iterable[str]) -> Iterator[Entry]:
    """Server-sent events, as the HTML standard has them, as far as our server uses them."""
    cursor: str | None = None
    kind, data = "", list[str]()
    for line in lines:
        if not line:
            if kind == "end":
                return
            if data:
                yield Entry(_cursor(cursor), json.loads("\n".join(data)))
            cursor, kind, data = None, "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            data.append(value)
        elif name == "id":
            cursor = value
        elif name == "event":
            kind = value


def _cursor(text: str | None) -> Cursor | None:
    return Cursor.parse(text) if text else None


def _may_be_over(entry: Entry, until: frozenset[str]) -> bool:
    return entry.type == "session.state_changed" and entry.data.get("state") in until


def _is_over(client: Client, task_id: str, last: Cursor, until: frozenset[str]) -> bool:
    """True when the task rests, and not merely an earlier session of it."""
    task = client.get_task(task_id)
    return task["state"] in until and last.session_number >= int(task.get("session_count", 1))

"""What a client waits for: the first command."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any

import httpx

from benchmarks.report import Row, milliseconds

RUNS = 10
ENDED = ("completed", "failed", "timed_out", "cancelled")
HELLO = "Say hello.\n\n```sh\ntrue\n```\n"


def client(url: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}", "User-Agent": "benchmarks"}
    return httpx.Client(base_url=url, headers=headers, timeout=30)


def measure_first_commands(url: str, repository: str, token: str) -> list[Row]:
    """From sending the request until the first command starts in its sandbox, and until the end."""
    until_command = []
    with client(url, token) as http:
        for _ in range(RUNS):
            started = time.time()
            task_id = create(http, repository, HELLO)
            wait(http, task_id, seconds=60)
            first = next(e for e in events(http, task_id) if e["type"] == "tool.execution_start")
            until_command.append(at(first["timestamp"]) - started)
    how = f"{RUNS}, one after the other, model script"
    return [Row("POST → first command in the sandbox", milliseconds(until_command, 50), how)]


def create(http: httpx.Client, repository: str, prompt: str, model: str | None = None) -> str:
    body = {"prompt": prompt, "model": model or "script"}
    answer = http.post(f"/agents/repos/{repository}/tasks", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def wait(http: httpx.Client, task_id: str, *, seconds: float) -> dict[str, Any]:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        task: dict[str, Any] = http.get(f"/agents/tasks/{task_id}").json()
        if task["state"] in ENDED:
            return task
        time.sleep(0.2)
    raise TimeoutError(f"task {task_id} did not end within {seconds} s")


def events(http: httpx.Client, task_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    page = 1
    while True:
        params = {"per_page": 100, "page": page}
        events = http.get(f"/agents/tasks/{task_id}/events", params=params).json()["events"]
        found += events
        if len(events) < 100:
            return found
        page += 1


def at(time_: str) -> float:
    return datetime.fromisoformat(time_.replace("Z", "+00:00")).timestamp()

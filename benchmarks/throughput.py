"""The wire under load: Journeyman's reads beside those of a plain FastAPI stack, and its writes.

Both servers read the same database, in turns, so that what else the machine does hits both.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from benchmarks.load import CLIENTS, Measured, Request, measure
from benchmarks.report import Row, milliseconds
from journeyman.cli import temporary

ROUNDS = 3
SECONDS = 2.0
"""Of each measurement in each round."""
UNLIMITED = {
    "JOURNEYMAN_RATE_PER_HOUR": "0",
    "JOURNEYMAN_RATE_ANONYMOUS_PER_HOUR": "0",
    "JOURNEYMAN_RATE_WRITES_PER_MINUTE": "0",
}
"""For the server's environment: its limits are not what is measured."""


def measure_reads(server: temporary.Server, repository: str, token: str, stored: int) -> list[Row]:
    """GET task and the list, of both; GET with 304, which the plain stack has not."""
    tasks = f"/agents/repos/{repository}/tasks"
    with _stub(server.data / "journeyman.db") as (port, pid):
        listed = _same(server.port, port, tasks, token)
        one = f"/agents/tasks/{listed['tasks'][17]['id']}"
        _same(server.port, port, one, token)
        known = {"If-None-Match": _get(server.port, one, token).headers["etag"]}
        one_of_both, list_of_both = (Measured(), Measured()), (Measured(), Measured())
        unchanged = Measured()
        sides = ((server.port, server.pid), (port, pid))
        for _ in range(ROUNDS):
            for path, both in ((one, one_of_both), (tasks, list_of_both)):
                for side, measured in zip(sides, both, strict=True):
                    measured.add(measure(*side, _request("GET", path, token), SECONDS))
            conditional = _request("GET", one, token, headers=known, status=304)
            unchanged.add(measure(*sides[0], conditional, SECONDS))
    return [
        *_compared("GET task", *one_of_both),
        _row("GET task, 304", unchanged),
        *_compared(f"list of 30 tasks, {stored:,} stored", *list_of_both),
    ]


def measure_posts(server: temporary.Server, repository: str, token: str) -> Row:
    body = json.dumps({"prompt": "Say hello.\n\n```sh\ntrue\n```\n", "model": "script"}).encode()
    path = f"/agents/repos/{repository}/tasks"
    request = _request("POST", path, token, status=201, body=body)
    return _row("POST task", measure(server.port, server.pid, request, SECONDS))


def _compared(what: str, ours: Measured, plain: Measured) -> list[Row]:
    ratio = ours.per_core_second / plain.per_core_second
    return [
        _row(what, ours, f"; {ratio:.1f} times the plain stack"),
        _row("  the same, plain FastAPI and ORM", plain),
    ]


def _row(what: str, measured: Measured, more: str = "") -> Row:
    rate = f"{measured.per_core_second:,.0f} / core-s"
    how = f"{CLIENTS} clients, {len(measured.seconds):,} requests{more}"
    return Row(what, f"{rate}  {milliseconds(measured.seconds, 99)}", how)


def _request(
    method: str,
    path: str,
    token: str,
    *,
    status: int = 200,
    headers: dict[str, str] | None = None,
    body: bytes = b"",
) -> Request:
    every = {"Authorization": f"Bearer {token}", "User-Agent": "benchmarks"}
    return Request(method, path, {**every, **(headers or {})}, status, body)


def _same(one: int, other: int, path: str, token: str) -> dict[str, Any]:
    """What both answer; a comparison of different answers would say nothing."""
    ours, plain = (_get(port, path, token) for port in (one, other))
    assert ours.status_code == plain.status_code == 200, (ours.text, plain.text)
    shown = ours.text.replace(f":{one}/", f":{other}/")
    assert _without_nulls(json.loads(shown)) == _without_nulls(plain.json())
    found: dict[str, Any] = ours.json()
    return found


def _without_nulls(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_nulls(item) for item in node]
    if isinstance(node, dict):
        return {key: _without_nulls(item) for key, item in node.items() if item is not None}
    return node


def _get(port: int, path: str, token: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.get(f"http://127.0.0.1:{port}{path}", headers=headers, timeout=30)


@contextlib.contextmanager
def _stub(database: Path) -> Iterator[tuple[int, int]]:
    """Its port and process id, while it runs as an operator would run it."""
    port = temporary.free_port()
    command = ["-m", "uvicorn", "benchmarks.stub:app", "--port", str(port), "--no-access-log"]
    environment = {**os.environ, "DATABASE": str(database)}
    with subprocess.Popen(
        [sys.executable, *command, "--log-level", "warning"], env=environment
    ) as process:
        try:
            _wait_for(port)
            yield port, process.pid
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            httpx.get(f"http://127.0.0.1:{port}/openapi.json")
        except httpx.TransportError:
            assert time.monotonic() < until, "the plain stack did not start"
            time.sleep(0.1)
        else:
            return

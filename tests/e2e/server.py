"""A real `journeyman serve` process for a test, and a client whose every response is validated."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from tests.contract.openapi import validator

JOURNEYMAN = Path(sys.executable).with_name("journeyman")
START_SECONDS = 40.0
FINAL = ("completed", "failed", "timed_out", "cancelled")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def journeyman(*arguments: str, data: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run the command to its end, as a user would, with nothing of this process's environment."""
    return subprocess.run(
        [JOURNEYMAN, *arguments, "--data", data],
        env={"PATH": os.environ["PATH"], "HOME": str(data), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@dataclass
class Server:
    """One server on one data directory; it can be killed and started again."""

    data: Path
    environ: dict[str, str] = field(default_factory=dict)
    flags: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    start_seconds: float = START_SECONDS

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data / "server.log"

    def start(self) -> None:
        self.data.mkdir(exist_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [JOURNEYMAN, "serve", "--data", self.data, "--port", str(self.port), *self.flags],
                env={"PATH": os.environ["PATH"], "HOME": str(self.data), **self.environ},
                stdout=log,
                stderr=log,
            )
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        assert self.process is not None
        deadline = time.monotonic() + self.start_seconds
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/healthz", timeout=2).status_code == 200:
                    return
            except httpx.TransportError:
                time.sleep(0.05)
        raise AssertionError(f"the server did not start:\n{self.log.read_text()[-4000:]}")

    def kill(self) -> None:
        """As the kernel would: no chance to clean up."""
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(10)

    def stop(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)


@contextmanager
def running(server: Server) -> Iterator[Server]:
    server.start()
    try:
        yield server
    finally:
        if server.process is not None and server.process.poll() is None:
            server.kill()


class Client:
    """Speaks as one user; every answer is held against GitHub's description."""

    def __init__(self, url: str, token: str, *, also: Collection[int] = ()) -> None:
        """*also*: statuses that the test provokes."""
        self.http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}", "X-GitHub-Api-Version": "2022-11-28"},
            timeout=30,
            event_hooks={"response": [partial(_validate, also=also)]},
        )

    def create(self, full_name: str, prompt: str, **body: Any) -> dict[str, Any]:
        answer = self.http.post(f"/agents/repos/{full_name}/tasks", json={"prompt": prompt, **body})
        assert answer.status_code == 201, answer.text
        made: dict[str, Any] = answer.json()
        return made

    def task(self, task_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.http.get(f"/agents/tasks/{task_id}").raise_for_status().json()
        return found

    def wait(self, task_id: str, *states: str, seconds: float = 60) -> dict[str, Any]:
        """The task once it is in one of *states* (by default: once it has ended)."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            task = self.task(task_id)
            if task["state"] in (states or FINAL):
                return task
            time.sleep(0.1)
        raise AssertionError(f"still {task['state']}: {self.events(task_id)[-5:]}")

    def events(self, task_id: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            got = self.http.get(
                f"/agents/tasks/{task_id}/events", params={"page": page, "per_page": 100}
            )
            answer = got.raise_for_status().json()
            found += answer["events"]
            if len(found) >= answer["total"] or not answer["events"]:
                return found
            page += 1


def _validate(response: httpx.Response, *, also: Collection[int]) -> None:
    response.read()
    asked = response.request
    validator.check(asked.method, asked.url.raw_path.decode(), response, also=also)

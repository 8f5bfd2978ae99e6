"""Several processes on one PostgreSQL: how soon another worker goes on, how late a stream is."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import subprocess
import threading
import time
from pathlib import Path

import httpx

from benchmarks import model, store
from benchmarks.crowd import populate
from benchmarks.report import Row, milliseconds, percentile
from benchmarks.requests import at, client, create, events, wait
from journeyman.cli import temporary
from journeyman.engine.liveness import LEASE_SECONDS

KILLS, HANGS = 5, 1
CANCELS = 10
STEPS = 150
SLOW = "Wait.\n\n```sh\nsleep 1000\n```\n"


def measure(url: str, directory: Path) -> list[Row]:
    """On the PostgreSQL database *url*, which is empty."""
    environ = {"JOURNEYMAN_DATABASE_URL": url, "JOURNEYMAN_LOG_LEVEL": "warning"}
    with (
        model.instant(STEPS) as model_url,
        temporary.server({**model.environment(model_url), **environ}) as server,
    ):
        repository, token = populate(server)
        server.start("--no-worker")
        with client(server.url, token) as http, contextlib.ExitStack() as workers:
            fleet = Fleet(server, directory, workers)
            stream = _streamed(http, repository, token)
            cancelled = [_cancelled(http, repository) for _ in range(CANCELS)]
            kills = [signal.SIGKILL] * KILLS
            killed = [_resumed(fleet, http, repository, number) for number in kills]
            hung = [_resumed(fleet, http, repository, signal.SIGSTOP) for _ in range(HANGS)]
        server.stop()
        appended = asyncio.run(store.measure_appends(url, *repository.split("/"), "PostgreSQL"))
    two = "two workers and an API process on PostgreSQL"
    lease = f"the same, the lease is {LEASE_SECONDS:g} s; another machine that dies is like it"
    return [
        appended,
        Row(
            "event logged → read in another process's stream",
            milliseconds(stream, 50, 95),
            f"{len(stream)} events, a worker and an API process on PostgreSQL",
        ),
        Row(
            "cancel → all processes of the session are gone",
            _spread(cancelled),
            f"{CANCELS} running commands, the same",
        ),
        Row("kill -9 of a worker → its session goes on", _spread(killed), f"{KILLS} times, {two}"),
        Row("a worker hangs → its session goes on", _spread(hung), f"{HANGS} times, {lease}"),
    ]


def _spread(values: list[float]) -> str:
    return f"p50 {percentile(values, 50):.2f} s  max {max(values):.2f} s"


class Fleet:
    """One worker, and another one beside it when that is about to fail."""

    def __init__(
        self, server: temporary.Server, directory: Path, workers: contextlib.ExitStack
    ) -> None:
        self._server = server
        self._directory = directory
        self._workers = workers
        self.first = self._start()

    def replace(self, number: signal.Signals) -> float:
        """Start another worker, send the first one the signal, and say when."""
        second = self._start()
        self.first.send_signal(number)
        self.first = second
        return time.time()

    def _start(self) -> subprocess.Popen[bytes]:
        """Ready when it is given; killed in the end."""
        log = self._directory / f"worker-{time.monotonic_ns()}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [*temporary.COMMAND, "worker", "--data", str(self._server.data)],
                env={**self._server.env, "JOURNEYMAN_LOG_LEVEL": "info"},
                stdout=file,
                stderr=file,
            )
        self._workers.callback(process.wait)
        self._workers.callback(process.kill)
        while b"worker.ready" not in log.read_bytes():
            assert process.poll() is None, log.read_text()
            time.sleep(0.02)
        return process


def _resumed(fleet: Fleet, http: httpx.Client, repository: str, number: signal.Signals) -> float:
    """From the signal to the worker that has a session until another worker goes on with it."""
    task_id = create(http, repository, SLOW)
    _wait_for(http, task_id, "tool.execution_start")
    failed_at = fleet.replace(number)
    resumed_at = _wait_for(http, task_id, "session.resume")
    http.post(f"/agents/tasks/{task_id}/cancel").raise_for_status()
    return resumed_at - failed_at


def _cancelled(http: httpx.Client, repository: str) -> float:
    """Until the answer, which comes when they are gone."""
    task_id = create(http, repository, SLOW)
    _wait_for(http, task_id, "tool.execution_start")
    began = time.perf_counter()
    answer = http.post(f"/agents/tasks/{task_id}/cancel").raise_for_status().json()
    assert answer["state"] == "cancelled", answer
    return time.perf_counter() - began


def _wait_for(http: httpx.Client, task_id: str, kind: str) -> float:
    """When it was logged."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for event in events(http, task_id):
            if event["type"] == kind:
                return at(event["timestamp"])
        time.sleep(0.05)
    raise TimeoutError(f"task {task_id} never had a {kind}")


def _streamed(http: httpx.Client, repository: str, token: str) -> list[float]:
    """How late each event of one session came to a reader of its stream."""
    task_id = create(http, repository, "Take many steps.", model.NAME)
    seen: dict[str, float] = {}

    def read() -> None:
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        address = f"{str(http.base_url).rstrip('/')}/agents/tasks/{task_id}/events"
        with httpx.stream("GET", address, headers=headers, timeout=60) as answer:
            for line in answer.iter_lines():
                if line.startswith("id:"):
                    seen.setdefault(line.removeprefix("id:").strip(), time.time())

    reading = threading.Thread(target=read)
    reading.start()
    wait(http, task_id, seconds=60)
    reading.join(10)
    logged = {str(one["id"]): at(one["timestamp"]) for one in events(http, task_id)}
    # The first ones were there before the stream was.
    return [came - logged[id_] for id_, came in list(seen.items())[10:] if id_ in logged]

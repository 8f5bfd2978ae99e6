"""What a step costs beside its command, in a long session, and with 16 at once, over HTTP.

A step is a reply of an instant model over HTTP and the command `true` in the session's sandbox.
Its overhead is all of the time from the last byte of a reply until the last byte of the next
request, but that of the command: the model's server takes both moments, so nothing of its own time
is in it, and all of ours is: the reply taken apart and logged, the command's result logged, the
files looked at, the next request made and sent. A request grows with the conversation, which a
provider wants whole each time: `replayed` measures the same without requests. The model's window
has 128,000 tokens, so the conversation is made shorter when it is full.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks import model
from benchmarks.crowd import memory, populate
from benchmarks.report import Row
from benchmarks.requests import client, create, events, wait
from journeyman.cli import temporary
from journeyman.llm import WINDOW_TOKENS
from tests.peers.model_server import Exchange, ModelServer

MARKS = (1, 100, 500, 2000)
AROUND = 20
"""Steps whose median stands for one: those before it, or the first ones after the first."""
SESSIONS, STEPS_EACH = 16, 25
SECONDS = 1200.0


@dataclass(frozen=True)
class Step:
    """Seconds of one step, and the bytes of the request that ends it."""

    overhead: float
    command: float
    size: int


@dataclass(frozen=True)
class Measured:
    """One program: a long session, and many at once."""

    marks: Mapping[int, Sequence[Step]]
    """The steps that stand for one, by its number."""
    megabytes: float
    """Of memory, at the end of the long session."""
    many_per_second: float
    """Steps of all sessions at once."""


def measure() -> list[Row]:
    steps, megabytes = _long(MARKS[-1])
    marks = {mark: steps[max(mark - AROUND, 1) :][:AROUND] for mark in MARKS}
    return rows("Journeyman", Measured(marks, megabytes, _many()))


def rows(name: str, measured: Measured) -> list[Row]:
    return [
        *(
            Row(f"{name}: overhead per step at step {mark}, over HTTP", *_told(steps))
            for mark, steps in measured.marks.items()
        ),
        Row(f"{name}: memory", f"{measured.megabytes:.0f} MB", "of the whole process, after that"),
        Row(
            f"{name}: {SESSIONS} sessions at once",
            f"{measured.many_per_second:,.0f} steps / s",
            f"{STEPS_EACH} steps each, in one process",
        ),
    ]


def per_second(exchanges: Sequence[Exchange]) -> float:
    """Requests in the middle half of a time, when all sessions are at work."""
    came = sorted(exchange.came for exchange in exchanges)
    first, last = len(came) // 4, 3 * len(came) // 4
    return (last - first) / (came[last] - came[first])


def gaps(exchanges: Sequence[Exchange]) -> list[float]:
    """From each answer to the next request."""
    return [after.came - before.answered for before, after in itertools.pairwise(exchanges)]


def _told(steps: Sequence[Step]) -> tuple[str, str]:
    overhead = statistics.median(step.overhead for step in steps)
    command = statistics.median(step.command for step in steps)
    size = statistics.median(step.size for step in steps)
    how = f"request of {size / 1000:,.0f} kB; command {command * 1000:.1f} ms"
    return f"{overhead * 1000:,.1f} ms", how


def _long(count: int) -> tuple[list[Step], float]:
    with _server(count) as (server, models, repository, token), client(server.url, token) as http:
        task = create(http, repository, "Take many steps.", model.NAME)
        ended = wait(http, task, seconds=SECONDS)
        assert ended["state"] == "completed", ended
        log = events(http, task)
        return _steps(log, models.exchanges), memory(server.pid, "VmHWM")


def _steps(log: Sequence[dict[str, Any]], exchanges: Sequence[Exchange]) -> list[Step]:
    """Usage is logged once for each request, a command's end within the step of its reply."""
    between = gaps(exchanges)
    asked, steps = -1, []
    for event in log:
        if event["type"] == "assistant.usage":
            asked += 1
        elif event["type"] == "tool.execution_complete" and asked < len(between):
            command = event["data"]["duration"] / 1000
            steps.append(Step(between[asked] - command, command, exchanges[asked + 1].size))
    return steps


def _many() -> float:
    with (
        _server(STEPS_EACH) as (server, models, repository, token),
        client(server.url, token) as http,
    ):
        tasks = [create(http, repository, f"Take {n}", model.NAME) for n in range(SESSIONS)]
        for task in tasks:
            ended = wait(http, task, seconds=SECONDS)
            assert ended["state"] == "completed", ended
        return per_second(models.exchanges)


@contextmanager
def _server(steps: int) -> Iterator[tuple[temporary.Server, ModelServer, str, str]]:
    """At work, with its model's server, a repository and a token."""
    environ = {
        "JOURNEYMAN_WORKER_CONCURRENCY": str(SESSIONS),
        "JOURNEYMAN_WORKER_PER_USER": str(SESSIONS),
        "JOURNEYMAN_RATE_WRITES_PER_MINUTE": "0",
        "JOURNEYMAN_LOG_LEVEL": "warning",
    }
    with (
        model.scripted(steps, window_tokens=WINDOW_TOKENS) as models,
        temporary.server({**model.environment(models.base_url), **environ}) as server,
    ):
        repository, token = populate(server)
        server.start()
        yield server, models, repository, token
        server.stop()

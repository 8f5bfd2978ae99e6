"""What a step costs beside its model and its command, from the first to the 2000th.

A recording is played by a whole service on SQLite, so that a reply takes no time and no request is
made: what is left is ours. A step is all of the time from the start of a turn until the start of
the next, as the log has it, but that of its command, `true`: the reply and the result logged, the
files looked at, messages, wishes and limits asked after. The conversation is kept whole.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import httpx

from benchmarks.crowd import populate
from benchmarks.report import Row
from benchmarks.requests import client, create, wait
from benchmarks.steps import MARKS, SECONDS
from journeyman.cli import temporary
from journeyman.domain.events import Event, EventType
from journeyman.domain.recordings import REPLY, Entry, Recording
from journeyman.store import events
from journeyman.store.database import Database, sqlite_url

AROUND = 50
"""Steps whose median stands for one: those before it, or the first ones after the first."""
PROMPT = "Take many steps."
CONFIG = """
[providers.steps{steps}]
kind = "recorded"
base_url = {path}
models = ["bench"]
"""


def measure() -> list[Row]:
    """The first steps are those of another session, right after the long one: what else the
    machine does changes from minute to minute."""
    first, *others = MARKS
    long, short = asyncio.run(_logs(others[-1], first + AROUND))
    return [_row(first, short), *(_row(mark, long) for mark in others)]


def _row(mark: int, log: Sequence[Event]) -> Row:
    begun = [event.created_at for event in log if event.type is EventType.TURN_START]
    steps = [(after - before).total_seconds() for before, after in itertools.pairwise(begun)]
    commands = [event.data["duration"] for event in log if event.type is EventType.TOOL_COMPLETE]
    around = slice(max(mark - AROUND, 1), max(mark, AROUND + 1))
    step = statistics.median(steps[around]) * 1000
    command = statistics.mean(commands[around])  # the log has whole milliseconds
    how = f"the step took {step:.1f} ms, its command {command:.1f} ms of them"
    return Row(f"overhead per step at step {mark}, replayed", f"{step - command:.1f} ms", how)


async def _logs(*lengths: int) -> list[list[Event]]:
    """Of sessions of so many steps, one after the other."""
    with temporary.server({"JOURNEYMAN_LOG_LEVEL": "warning"}) as server:
        repository, token = populate(server)
        config = server.directory / "replayed.toml"
        config.write_text(
            "".join(_configured(server.directory, repository, steps) for steps in lengths)
        )
        server.env["JOURNEYMAN_CONFIG"] = str(config)
        server.start()
        with client(server.url, token) as http:
            sessions = [_played(http, repository, f"steps{steps}:bench") for steps in lengths]
        server.stop()
        database = Database(sqlite_url(server.data))
        try:
            return [
                await database.read(partial(events.session_log, session_id=session))
                for session in sessions
            ]
        finally:
            database.close()


def _played(http: httpx.Client, repository: str, model: str) -> str:
    """The session's id, at its end."""
    task = create(http, repository, PROMPT, model)
    ended = wait(http, task, seconds=SECONDS)
    assert ended["state"] == "completed", ended
    return str(ended["sessions"][0]["id"])


def _configured(directory: Path, repository: str, steps: int) -> str:
    """A model that asks for so many commands, each another, and one more."""
    said = [
        Entry(REPLY, calls=[{"id": f"{n}", "name": "bash", "arguments": {"command": f"true {n}"}}])
        for n in range(steps + 1)
    ]
    recording = Recording(
        repository=repository,
        base_ref="main",
        base_sha="",
        head_ref="",
        model="bench",
        prompt=PROMPT,
        entries=[*said, Entry(REPLY, content="All steps are taken.")],
    )
    played = directory / f"steps{steps}.jsonl"
    played.write_text(recording.dump())
    return CONFIG.format(steps=steps, path=json.dumps(str(played)))

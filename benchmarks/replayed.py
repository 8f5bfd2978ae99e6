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
from pathlib import Path

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
[providers.recorded]
kind = "recorded"
base_url = {path}
models = ["bench"]
"""


def measure() -> list[Row]:
    log = asyncio.run(_log(MARKS[-1]))
    begun = [event.created_at for event in log if event.type is EventType.TURN_START]
    steps = [(after - before).total_seconds() for before, after in itertools.pairwise(begun)]
    commands = [
        event.data["duration"] / 1000 for event in log if event.type is EventType.TOOL_COMPLETE
    ]
    return [_row(mark, steps, commands) for mark in MARKS]


def _row(mark: int, steps: Sequence[float], commands: Sequence[float]) -> Row:
    around = slice(max(mark - AROUND, 1), max(mark, AROUND + 1))
    step = statistics.median(steps[around]) * 1000
    command = statistics.mean(commands[around]) * 1000  # the log has whole milliseconds
    how = f"the step took {step:.1f} ms, its command {command:.1f} ms of them"
    return Row(f"overhead per step at step {mark}, replayed", f"{step - command:.1f} ms", how)


async def _log(steps: int) -> list[Event]:
    """Of a session of so many steps."""
    with temporary.server({"JOURNEYMAN_LOG_LEVEL": "warning"}) as server:
        repository, token = populate(server)
        server.env["JOURNEYMAN_CONFIG"] = str(_configured(server.directory, repository, steps))
        server.start()
        with client(server.url, token) as http:
            task = create(http, repository, PROMPT, "recorded:bench")
            ended = wait(http, task, seconds=SECONDS)
            assert ended["state"] == "completed", ended
            session = http.get(f"/agents/tasks/{task}").json()["sessions"][0]["id"]
        server.stop()
        database = Database(sqlite_url(server.data))
        try:
            return await database.read(lambda tx: events.session_log(tx, session))
        finally:
            database.close()


def _configured(directory: Path, repository: str, steps: int) -> Path:
    """A configuration with a model that asks for one command after the other, each another."""
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
    played, config = directory / "recording.jsonl", directory / "replayed.toml"
    played.write_text(recording.dump())
    config.write_text(CONFIG.format(path=json.dumps(str(played))))
    return config

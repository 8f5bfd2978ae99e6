"""A worker that dies at one station of the walk, as by kill -9: nothing of it goes on.

`python doomed.py` reads lines `STATION WHEN SESSION DATA DATABASE_URL` and answers each with an
exit code: that of a child which has taken runs, like every worker, until the station or the
run's end. The station is a call of a port, `#2` for the second one; *when* is `before` it is
made, or `after` it has had its effect and before anybody hears of it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from journeyman import app
from journeyman.engine.executor import Executor, Steps
from journeyman.engine.queue import run_id
from journeyman.store.database import make_engine
from journeyman.worker.loop import Worker
from tests.conftest import configured
from tests.integration.engine.machine import equip
from tests.integration.engine.worker_process import OPTIONS

DEAD = 9
SECONDS = 60.0


class Doom:
    """Counts the calls, and ends the process at the one that is the station."""

    def __init__(self, station: str, when: str) -> None:
        name, _, number = station.partition("#")
        self._wanted = (name, int(number or 1), when)
        self._calls = Counter[str]()

    def port(self, name: str, port: Any) -> Any:
        return _Port(name, port, self)

    def begin(self, name: str) -> tuple[str, int]:
        self._calls[name] += 1
        self.reach((name, self._calls[name]), "before")
        return name, self._calls[name]

    def reach(self, call: tuple[str, int], when: str) -> None:
        if (*call, when) == self._wanted:
            os._exit(DEAD)

    def made(self, made: Any) -> Any:
        """What a port hands out may be a port, too."""
        for name, mark in (("box", "kill_all"), ("model", "reply")):
            if hasattr(made, mark):
                return self.port(name, made)
        return made


class _Port:
    def __init__(self, name: str, port: Any, doom: Doom) -> None:
        self._name, self._port, self._doom = name, port, doom

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._port, name)
        if not asyncio.iscoroutinefunction(found):
            return self._handing_out(found) if callable(found) else found

        async def call(*arguments: Any, **named: Any) -> Any:
            reached = self._doom.begin(_station(f"{self._name}.{name}", arguments))
            made = await found(*arguments, **named)
            self._doom.reach(reached, "after")
            return self._doom.made(made)

        return call

    def _handing_out(self, found: Callable[..., Any]) -> Callable[..., Any]:
        return lambda *arguments, **named: self._doom.made(found(*arguments, **named))


def _station(call: str, arguments: tuple[Any, ...]) -> str:
    """The call, with what tells it from others: the first event's type, the script's name."""
    match call, arguments:
        case "ledger.append", (_, [first, *_]):
            return f"{call}:{first.type}"
        case "box.exec" | "box.export", ([_, "-c", _, name, *_],):
            return f"{call}:{name}"
    return call


async def work(data: Path, url: str, doom: Doom, session_id: str) -> None:
    async with app.parts(configured(data, **{"database.url": url})) as parts:
        usual = equip(parts, data)
        equipment = replace(
            usual,
            ledger=doom.port("ledger", usual.ledger),
            forge=doom.port("forge", usual.forge),
            mirrors=doom.port("mirrors", usual.mirrors),
            publisher=doom.port("publisher", usual.publisher),
            sandboxes=doom.port("sandboxes", usual.sandboxes),
            models=doom.port("models", usual.models),
        )
        executor = Executor(url, make_engine(url), OPTIONS)
        worker = Worker(doom.port("ledger", usual.ledger), equipment, executor.owns)
        steps = doom.port("worker", worker)
        worker.start()
        await executor.start(Steps(steps.prepare, steps.turn, steps.deliver))
        async with asyncio.timeout(SECONDS):
            while not await asyncio.to_thread(parts.queue.gone, [run_id(session_id, 1)]):
                await asyncio.sleep(0.05)
        await executor.stop()
        await worker.stop()


def main() -> None:
    for line in sys.stdin:
        station, when, session_id, data, url = line.split()
        child = os.fork()
        if child == 0:
            os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # its log is no answer
            asyncio.run(work(Path(data), url, Doom(station, when), session_id))
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


if __name__ == "__main__":
    main()

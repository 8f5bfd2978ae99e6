"""A worker of its own process: `python worker_process.py URL LOG SECONDS [ALL]`.

Each step writes a line to LOG, which also says where a run goes on: it is two turns, each of
SECONDS, and a delivery. ALL processes may carry so many runs at once.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from journeyman.engine.executor import Executor, Options, Steps, Verdict
from journeyman.store.database import make_engine

TURNS = 2


def steps(log: Path, seconds: float) -> Steps:
    def write(line: str) -> None:
        with log.open("a") as file:
            file.write(line + "\n")

    async def prepare(session_id: str, run_number: int, _last: Verdict) -> Verdict:
        write(f"prepare {session_id}.{run_number}")
        return {"next": "turn"}

    async def turn(session_id: str, run_number: int, _last: Verdict) -> Verdict:
        left = TURNS - 1 - log.read_text().count(f"turned {session_id}.{run_number} ")
        write(f"turn {session_id}.{run_number} {left}")
        await asyncio.sleep(seconds)
        write(f"turned {session_id}.{run_number} {left}")
        return {"next": "turn" if left else "deliver"}

    async def deliver(session_id: str, run_number: int, _last: Verdict) -> Verdict:
        write(f"deliver {session_id}.{run_number}")
        return {"next": "end"}

    return Steps(prepare, turn, deliver)


OPTIONS = Options(
    concurrency=3, per_user=2, polling_seconds=0.05, heartbeat_seconds=0.2, lease_seconds=1.5
)


async def main(url: str, log: Path, seconds: float, most: int | None = None) -> None:
    executor = Executor(url, make_engine(url), replace(OPTIONS, all_processes=most))
    await executor.start(steps(log, seconds))
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), *map(int, sys.argv[4:])))

"""SWE-ReX beside us, for comparison: in an environment of its own, on this host, not isolated."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from benchmarks import foreign
from benchmarks.report import Row, milliseconds

RELEASE = "swe-rex==1.4.0"
RUN_SECONDS = 120
COMMANDS, MEGABYTES = 30, 1
SCRIPT = """
import asyncio, json, sys, time
from swerex.deployment.local import LocalDeployment
from swerex.runtime.abstract import BashAction, CreateBashSessionRequest

async def main(commands, megabytes):
    began = time.monotonic()
    deployment = LocalDeployment()
    await deployment.start()
    runtime = deployment.runtime
    await runtime.create_session(CreateBashSessionRequest())

    async def timed(command):
        began = time.monotonic()
        await runtime.run_in_session(BashAction(command=command, timeout=60))
        return time.monotonic() - began

    await timed("true")
    started = time.monotonic() - began
    each = [await timed("true") for _ in range(commands)]
    flood = await timed(f"head -c {megabytes}M /dev/zero | tr '\\\\0' x | fold -w 99")
    await deployment.stop()
    with open(sys.argv[1], "w") as file:  # it logs to standard output
        json.dump([started, each, flood], file)

asyncio.run(main(*map(int, sys.argv[2:])))
"""


async def measure() -> list[Row]:
    """One row that says so where it cannot be installed or run."""
    try:
        python = await foreign.python(RELEASE)
        with tempfile.TemporaryDirectory(prefix="journeyman-bench-") as folder:
            found = Path(folder, "found.json")
            arguments = (str(found), str(COMMANDS), str(MEGABYTES))
            await foreign.run(RUN_SECONDS, str(python), "-c", SCRIPT, *arguments)
            started, each, flood = json.loads(found.read_text())
    except (OSError, TimeoutError) as error:
        return [Row(RELEASE, "not measured", str(error)[-60:])]
    how = "for comparison, without a sandbox"
    return [
        Row("SWE-ReX: session to first command", milliseconds([started], 50), how),
        Row("SWE-ReX: command in a session", milliseconds(each, 50, 99), f"{COMMANDS}, {how}"),
        Row("SWE-ReX: output of a command", f"{MEGABYTES / flood:,.1f} MB/s", f"{MEGABYTES} MB"),
    ]


if __name__ == "__main__":
    for row in asyncio.run(measure()):
        print(f"{row.what}: {row.result} ({row.how})")

"""mini-swe-agent beside us: the same commands from the same scripted model over HTTP.

It has its own default prompt and its litellm model, and runs commands on the host, not in a
sandbox. It keeps the conversation whole, so that 2000 steps would take half an hour: before each
mark its conversation is filled up with copies of its own steps, and what follows is measured.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import foreign, model, steps
from benchmarks.report import Row
from benchmarks.steps import AROUND, MARKS, SESSIONS, STEPS_EACH, Measured, Step
from tests.peers.model_server import Exchange

NAME = "mini-swe-agent"
RELEASES = ("mini-swe-agent==2.4.6", "litellm==1.106.2", "mcp==2.3.0")
"""litellm takes no tools without the last one."""
RUN_SECONDS = 300
ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "MSWEA_SILENT_STARTUP": "1"}
"""It asks nobody for prices, and greets nobody."""
SCRIPT = """
import json, sys, threading, time, yaml
from minisweagent import package_dir
from minisweagent.agents.default import DefaultAgent
from minisweagent.environments.local import LocalEnvironment
from minisweagent.models.litellm_model import LitellmModel

url, name, folder, wanted = sys.argv[1:]
wanted = json.loads(wanted)
config = yaml.safe_load((package_dir / "config" / "mini.yaml").read_text())
commands = []

class Timed(LocalEnvironment):
    def execute(self, *args, **kwargs):
        began = time.monotonic()
        try:
            return super().execute(*args, **kwargs)
        finally:
            commands.append(time.monotonic() - began)

def agent(steps):
    model = config["model"] | {
        "model_name": f"openai/{name}",
        "model_kwargs": {"api_base": url, "api_key": "none", "drop_params": True},
        "cost_tracking": "ignore_errors",
    }
    limits = {"step_limit": steps, "cost_limit": 0}
    environment = Timed(cwd=folder, **config["environment"])
    return DefaultAgent(LitellmModel(**model), environment, **config["agent"] | limits)

def long(marks, steps):
    one = agent(steps)
    one.run("Take many steps.")
    one.config.step_limit = 0
    del one.messages[-1]  # that the limit was reached
    head, taken = one.messages[:2], one.messages[2:]
    for mark in marks:
        length = 2 * (mark - steps)
        one.messages = head + (taken * (length // len(taken) + 1))[:length]
        for _ in range(steps):  # as its run() does
            one.step()
            one.save(None)

def many(sessions, steps):
    agents = [agent(steps) for _ in range(sessions)]
    threads = [threading.Thread(target=one.run, args=("Take steps.",)) for one in agents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

{"long": long, "many": many}[wanted[0]](*wanted[1:])
status = open("/proc/self/status").read().splitlines()
peak = next(line.split()[1] for line in status if line.startswith("VmHWM"))
with open(f"{folder}/found.json", "w") as file:
    json.dump({"commands": commands, "megabytes": int(peak) / 1000}, file)
"""


async def measure() -> list[Row]:
    """One row that says so where it cannot be installed or run."""
    try:
        python = await foreign.python(*RELEASES)
        taken = AROUND + 1
        exchanges, found = await _run(python, "long", MARKS[1:], taken)
        many, _ = await _run(python, "many", SESSIONS, STEPS_EACH)
    except (OSError, TimeoutError) as error:
        return [Row(RELEASES[0], "not measured", str(error)[-60:])]
    marks = {
        mark: _steps(exchanges[start:][:taken], found["commands"][start:][:taken])
        for mark, start in zip(MARKS, range(0, len(exchanges), taken), strict=True)
    }
    return steps.rows(NAME, Measured(marks, found["megabytes"], steps.per_second(many)))


def _steps(exchanges: Sequence[Exchange], commands: Sequence[float]) -> list[Step]:
    return [
        Step(gap - command, command, after.size)
        for gap, command, after in zip(steps.gaps(exchanges), commands, exchanges[1:], strict=False)
    ]


async def _run(python: Path, *wanted: Any) -> tuple[list[Exchange], dict[str, Any]]:
    """What its model was asked, and what it tells of itself."""
    with tempfile.TemporaryDirectory() as folder, model.scripted(MARKS[-1]) as server:
        arguments = (server.base_url, model.NAME, folder, json.dumps(wanted))
        env = {**ENVIRONMENT, "MSWEA_GLOBAL_CONFIG_DIR": folder}
        await foreign.run(RUN_SECONDS, str(python), "-c", SCRIPT, *arguments, env=env)
        return server.exchanges, json.loads(Path(folder, "found.json").read_text())

"""Agents from npm at work, unmodified, with a scripted model that they reach through us."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from journeyman import adapters
from journeyman.domain.events import EventType
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask
from tests.conftest import World
from tests.integration.engine.machine import Machine, find, log, patch
from tests.peers.model_server import Json, ModelServer, Say

pytestmark = [pytest.mark.sandbox, pytest.mark.engine, pytest.mark.npm]

PINNED = Path(__file__).parent / "agents/package.json"
PLACES = ("/srv", "/opt")
"""A sandbox has its own /tmp, /home and /var: nothing of the host's is seen there."""
OPENCODE = {
    "provider": {
        "ours": {
            "npm": "@ai-sdk/openai-compatible",
            "options": {"baseURL": "{url}", "apiKey": "none"},
            "models": {"{model}": {"name": "{model}"}},
        }
    },
    "model": "ours/{model}",
    "small_model": "ours/{model}",
    "autoupdate": False,
    "share": "disabled",
}


AGENTS = {
    "opencode": f"""
[acp.opencode]
command = ["OPENCODE_PROGRAM", "acp"]
model = "local:test-model"
folders = ["PLACE"]
[acp.opencode.env]
OPENCODE_CONFIG_CONTENT = '''{json.dumps(OPENCODE)}'''
OPENCODE_DISABLE_MODELS_FETCH = "1"
[providers.local]
kind = "openai-compatible"
base_url = "ADDRESS/v1"
models = ["test-model"]
api_key = "real-key"
""",
    "claude": """
[acp.claude]
command = ["PLACE/.bin/claude-agent-acp"]
model = "local:test-model"
folders = ["PLACE"]
[acp.claude.env]
ANTHROPIC_BASE_URL = "{url}"
ANTHROPIC_API_KEY = "none"
ANTHROPIC_MODEL = "{model}"
ANTHROPIC_SMALL_FAST_MODEL = "{model}"
CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC = "1"
[providers.local]
kind = "anthropic"
base_url = "ADDRESS"
models = ["test-model"]
api_key = "real-key"
""",
}
"""Their configurations, as docs/acp.md has them."""


@pytest.fixture(scope="module")
def installed() -> Iterator[Path]:
    """Where the pinned agents are."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        pytest.skip("npm is not installed; please run: sudo apt-get install npm")
    place = next((one for one in PLACES if os.access(one, os.W_OK)), None)
    if place is None:
        pytest.skip(f"none of {', '.join(PLACES)} can be written to")
    path = Path(tempfile.mkdtemp(prefix="journeyman-agents-", dir=place))
    path.chmod(0o755)
    shutil.copy(PINNED, path)
    command = ["npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--ignore-scripts"]
    try:
        done = subprocess.run(
            command, cwd=path, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        yield path / "node_modules"
    finally:
        shutil.rmtree(path)


def turns(_turn: int, request: Json) -> Say:
    """One command by the agent's own tool, then the end; a title where one is wanted."""
    names = [(tool.get("function") or tool)["name"] for tool in request.get("tools") or ()]
    bash = next((name for name in names if name.lower() == "bash"), None)
    if bash is None:
        return Say("A title")
    if "hello-from-inside" in json.dumps(request["messages"]):
        return Say("It is written.")
    command = "echo one > one.txt; echo hello-from-$(echo inside)"
    return Say("Now.", calls=[(bash, {"command": command, "description": "Write it"})])


@pytest.fixture
async def peer() -> AsyncIterator[ModelServer]:
    async with ModelServer(turns) as started:
        yield started


@pytest.fixture(params=AGENTS)
def agent(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def data(tmp_path: Path, migrated: Path, peer: ModelServer, installed: Path, agent: str) -> Path:
    """A data directory with an empty database, and the agent in its configuration."""
    made = Path(shutil.copytree(migrated, tmp_path / "data"))
    program = str(sorted(installed.glob("opencode-linux-*/bin/opencode"))[-1])
    text = AGENTS[agent].replace("OPENCODE_PROGRAM", program).replace("PLACE", str(installed))
    (made / "journeyman.toml").write_text(
        text.replace("ADDRESS", peer.base_url.removesuffix("/v1"))
    )
    return made


@pytest.mark.timeout(420)
async def test_a_real_agent_does_a_task(
    world: World, machine: Machine, peer: ModelServer, agent: str
) -> None:
    config = world.parts.config
    equipment = replace(
        machine.equipment,
        externals=adapters.externals(config),
        endpoint=partial(adapters.endpoint, config),
    )
    await machine.equip(equipment)
    new = NewTask("Write one.txt", custom_agent=f"acp:{agent}")
    alice, access = await world.principal("alice"), await world.access("alice")
    task = await world.parts.services.tasks.create(alice, access, new)
    await machine.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert "+one" in await patch(world, task)
    events = await log(world, task)
    ran = next(e for e in events if e.type is EventType.TOOL_START)
    assert ran.data["toolName"] == "bash"
    assert "echo one > one.txt" in ran.data["arguments"]["command"]
    said = next(e for e in events if e.type is EventType.TOOL_COMPLETE)
    assert "hello-from-inside" in said.data["result"]["content"]
    words = [e.data["content"] for e in events if e.type is EventType.MESSAGE]
    assert words[-1] == "It is written."
    assert set(peer.keys) <= {"Bearer real-key", "real-key"}
    assert all(e.data["inputTokens"] for e in events if e.type is EventType.USAGE)
    assert "real-key" not in str(events)

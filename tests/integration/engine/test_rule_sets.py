"""Setup steps, the agent's commands and MCP servers: each under the firewall's rules for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from journeyman.domain.events import EventType
from journeyman.domain.repositories import Repository
from journeyman.sandbox import Network, Provision
from journeyman.sandbox.bubblewrap import Bubblewrap
from tests.integration.engine.customised import customised
from tests.peers import mcp_server
from tests.peers.model_server import Say

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

ROLES = ("setup", "agent", "mcp")
SETUP = """jobs:
  copilot-setup-steps:
    runs-on: ubuntu-latest
    steps:
      - run: {ask}
"""


async def nowhere(host: str, port: int) -> Sequence[str]:
    raise OSError("no such name")


async def provision(_repository: Repository) -> Provision:
    setup, agent, mcp = (Network((f"{role}.test",)) for role in ROLES)
    return Provision(network=agent, setup=setup, mcp=mcp)


def ask(role: str) -> str:
    """A command that wants to reach a host of each role."""
    return f"for to in {' '.join(ROLES)}; do curl -s -o /dev/null http://$to.test/{role}; done"


async def test_each_role_reaches_its_own_hosts_alone(data: Path, source: Path) -> None:
    files = {
        ".github/workflows/copilot-setup-steps.yml": SETUP.format(ask=ask("setup") + "; true"),
        "server.py": Path(mcp_server.__file__).read_text(),
    }
    turns = [Say(calls=[("bash", {"command": ask("agent")})]), Say("Done.")]
    async with customised(data, source, files, turns) as session:
        equipment = session.machine.equipment
        sandboxes = Bubblewrap(resolve=nowhere)
        await session.machine.equip(replace(equipment, sandboxes=sandboxes, provision=provision))
        starting = f"{ask('mcp')}; exec python3 server.py"
        await session.set_servers({"plain": {"command": "bash", "args": ["-c", starting]}})
        events = await session.run()
        assert "plain-echo" in session.offered()
        told = session.told(1)
    blocked = [event.data for event in events if event.type is EventType.FIREWALL_BLOCKED]
    refused = [(urlsplit(one["command"].split()[-1]).path[1:], one["host"]) for one in blocked]
    assert sorted(refused) == sorted(
        (role, f"{other}.test") for role in ROLES for other in ROLES if other != role
    )
    for role in ROLES:
        assert (f"the firewall blocked {role}.test:80 (GET)" in told) is (role != "agent")

"""A repository that is set up for agents, and a machine whose model is scripted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from journeyman import adapters, app
from journeyman.config import load
from journeyman.domain.configuration import AgentConfiguration
from journeyman.domain.events import Event
from journeyman.domain.repositories import Repository
from journeyman.domain.tasks import NewTask, Task
from journeyman.forge.embedded import tokens
from journeyman.runner.equipment import Equipment, Exposed
from journeyman.sandbox import Network, Provision
from journeyman.service.administration import Administration
from tests.conftest import World, git
from tests.integration.engine.machine import Machine, find, log
from tests.peers.model_server import ModelServer, Turns

MODEL = "gpt-test"
NOTHING = Exposed()


@dataclass
class Customised:
    """One worker, one repository, one model."""

    world: World
    machine: Machine
    model: ModelServer

    async def task(self, prompt: str = "Do it", *, agent: str | None = None) -> Task:
        services = self.world.parts.services
        alice, access = await self.world.principal("alice"), await self.world.access("alice")
        return await services.tasks.create(alice, access, NewTask(prompt, custom_agent=agent))

    async def run(self, prompt: str = "Do it", *, agent: str | None = None) -> list[Event]:
        """A task to its end: its log."""
        task = await self.task(prompt, agent=agent)
        await self.machine.run(task)
        return await self.log(task)

    async def log(self, task: Task) -> list[Event]:
        return await log(self.world, task)

    async def state(self, task: Task) -> str:
        return (await find(self.world, task)).session.state

    async def set_servers(self, servers: Mapping[str, Any]) -> None:
        """In the repository's settings."""
        access = await self.world.access("alice")
        new = AgentConfiguration(mcp_configuration={"mcpServers": servers})
        await self.world.parts.services.configurations.put(access, new)

    def told(self, request: int) -> str:
        """What the model got with one request."""
        return json.dumps(self.model.requests[request]["messages"], ensure_ascii=False)

    def offered(self, request: int = 0) -> set[str]:
        return {tool["function"]["name"] for tool in self.model.requests[request]["tools"]}


@asynccontextmanager
async def customised(
    data: Path,
    source: Path,
    files: Mapping[str, str],
    turns: Turns,
    *,
    exposed: Exposed = NOTHING,
) -> AsyncIterator[Customised]:
    """*files*: of the repository, by path. *exposed*: its secrets and variables."""
    for path, text in files.items():
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(text)
    git("add", "-A", cwd=source)
    git("commit", "-qm", "Tell agents", cwd=source)
    async with ModelServer(turns) as model:
        environ = {
            "HOME": str(data),
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_MODEL": MODEL,
        }
        async with app.parts(load(flags={"data": str(data)}, environ=environ)) as parts:
            world = await _world(parts, source)
            machine = Machine(world, data / "machine")
            machine.equipment = _equipped(machine.equipment, world, exposed)
            await machine.equip(machine.equipment)
            try:
                yield Customised(world, machine, model)
            finally:
                await machine.worker.stop()


def _equipped(equipment: Equipment, world: World, exposed: Exposed) -> Equipment:
    configurations = world.parts.services.configurations

    async def mcp(repository: Repository) -> Mapping[str, Any] | None:
        return (await configurations.of_repository(repository)).mcp_configuration

    async def given(repository: Repository) -> Exposed:
        return exposed

    async def provision(repository: Repository) -> Provision:
        local = Network(allowed_networks=("127.0.0.0/8",))
        return Provision(network=Network(), mcp=local, mcp_by_address=True)

    return replace(
        equipment, mcp=mcp, exposed=given, provision=provision, outside=adapters.outside()
    )


async def _world(parts: app.Parts, source: Path) -> World:
    administration = Administration(parts.database, parts.embedded, tokens)
    secret = (await administration.create_token("alice"))[0]
    repository = await administration.add_repository("alice/hello", str(source))
    return World(parts, administration, repository, {"alice": secret})

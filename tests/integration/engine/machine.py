"""One machine with a worker, driven step by step: real sandbox, real forge, no queue."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from journeyman.app import Parts
from journeyman.domain.events import Event, EventType
from journeyman.domain.limits import Limits
from journeyman.domain.repositories import Repository
from journeyman.domain.tasks import NewTask, Task
from journeyman.engine.executor import Verdict
from journeyman.runner.equipment import Equipment
from journeyman.sandbox import Provision, bubblewrap
from journeyman.service.ledger import Ledger
from journeyman.worker import loop
from journeyman.worker.loop import Worker
from journeyman.workspace.bases import Bases
from tests.conftest import World

WRITE = "Write\n\n```sh\necho one > one.txt\n```\n\n```sh\necho two > two.txt\n```"


async def offline(_repository: Repository) -> Provision:
    return Provision()


def equip(parts: Parts, root: Path) -> Equipment:
    """What the runs of a worker with the disk *root* work with."""
    sandboxes, workspaces = bubblewrap.Bubblewrap(), root / "workspaces"
    return Equipment(
        ledger=Ledger(parts.database, parts.live, parts.changes),
        forge=parts.forge,
        mirrors=parts.mirrors,
        bases=Bases(root / "bases", sandboxes, workspaces=workspaces),
        publisher=parts.publisher,
        sandboxes=sandboxes,
        limits=parts.config.sandbox.limits,
        models=parts.models,
        workspaces=workspaces,
        public_url="http://journeyman.test",
        provision=offline,
    )


class Machine:
    """One worker, with its own disk; `owned` says which sessions the engine has given it."""

    def __init__(self, world: World, root: Path) -> None:
        self.owned = True
        self.equipment = equip(world.parts, root)
        self.ledger = Ledger(world.parts.database, world.parts.live, world.parts.changes)
        self.worker = Worker(self.ledger, self.equipment, self._owns)

    async def equip(
        self, equipment: Equipment, *, pause_seconds: float = loop.PAUSE_SECONDS
    ) -> None:
        """From now on another worker, with *equipment*."""
        await self.worker.stop()
        self.worker = Worker(self.ledger, equipment, self._owns, pause_seconds=pause_seconds)
        self.worker.start()

    async def _owns(self, _session_id: str, _run_number: int) -> bool:
        return self.owned

    async def work(self, task: Task) -> Verdict:
        """The first run up to its delivery: the verdict that asks for it."""
        verdict = await self.worker.prepare(task.session.id, 1, {})
        while verdict["next"] == "turn":
            verdict = await self.worker.turn(task.session.id, 1, verdict)
        return verdict

    async def run(
        self, task: Task, number: int = 1, *, most: int = 40, verdict: Verdict | None = None
    ) -> list[str]:
        """As the engine would, from *verdict* on: the names of the steps that were taken."""
        session_id = task.session.id
        steps = {"turn": self.worker.turn, "deliver": self.worker.deliver}
        taken = []
        if verdict is None:
            verdict = await self.worker.prepare(session_id, number, {})
            taken = ["prepare"]
        while verdict["next"] != "end" and len(taken) < most:
            taken.append(verdict["next"])
            verdict = await steps[verdict["next"]](session_id, number, verdict)
        return taken


async def create(world: World, prompt: str, limits: Limits | None = None) -> Task:
    services = world.parts.services
    new = NewTask(prompt, limits=limits) if limits else NewTask(prompt)
    return await services.tasks.create(
        await world.principal("alice"), await world.access("alice"), new
    )


async def find(world: World, task: Task) -> Task:
    return (await world.parts.services.tasks.get(await world.principal("alice"), task.id)).task


async def steer(world: World, task: Task, content: str) -> Task:
    alice = await world.principal("alice")
    return await world.parts.services.sessions.steer(alice, task.id, content)


async def log(world: World, task: Task) -> list[Event]:
    alice = await world.principal("alice")
    return list((await world.parts.services.events.page(alice, task.id, 1, 100)).events)


async def patch(world: World, task: Task) -> str:
    alice = await world.principal("alice")
    return (await world.parts.services.patches.patch(alice, task.id)).decode()


async def until(found: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await found():
            await asyncio.sleep(0.02)


def count(events: list[Event], kind: EventType) -> int:
    return sum(event.type is kind for event in events)

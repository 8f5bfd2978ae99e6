"""What looks like a secret does not reach the forge, whoever committed it and however it ended."""

from __future__ import annotations

from dataclasses import replace

import pytest

from journeyman.domain.configuration import EnabledTools
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Reason, State
from journeyman.runner.equipment import Checks, Exposed
from tests.conftest import World
from tests.integration.engine.machine import Machine, create, find, patch

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]

KEY = "AKIA" + "IOSFODNN7" + "EXAMPLE"
WRITE = f"Write\n\n```sh\necho 'key = \"{KEY}\"' > app.py\n```"
OVERWRITE = f"""Write
```sh
echo 'key = "{KEY}"' > app.py
git add -A
git commit -qm "Add a key"
echo 'key = None' > app.py
```"""


@pytest.mark.parametrize("prompt", [WRITE, OVERWRITE], ids=["files", "history"])
async def test_it_is_kept_back_and_the_work_is_not_lost(
    world: World, machine: Machine, prompt: str
) -> None:
    task = await create(world, prompt)
    await machine.run(task)
    ended = await find(world, task)
    assert (ended.session.state, ended.session.state_reason) == (
        State.FAILED,
        Reason.PUSH_REJECTED,
    )
    message = ended.session.error or ""
    assert "app.py:1 looks like a secret (AWS Access Key)" in message
    assert "pragma: allowlist secret" in message
    assert "The work is kept in the patch." in message
    assert not ended.artifacts
    assert "+key =" in await patch(world, task)


async def test_a_secret_of_the_repository_is_one_whatever_it_looks_like(
    world: World, machine: Machine
) -> None:
    async def exposed(repository: Repository) -> Exposed:
        return Exposed({"TOKEN": "correct-horse"}, frozenset({"correct-horse"}))

    await machine.equip(replace(machine.equipment, exposed=exposed))
    task = await create(world, "Write\n\n```sh\necho $TOKEN > token.txt\n```")
    await machine.run(task)
    ended = await find(world, task)
    assert ended.session.state_reason is Reason.PUSH_REJECTED
    assert "correct-horse" not in (ended.session.error or "")


@pytest.mark.parametrize(
    "told",
    [Checks(block_secrets=False), Checks(EnabledTools(secret_scanning=False))],
    ids=["reported only", "switched off"],
)
async def test_it_is_the_operators_and_the_repositorys_choice(
    world: World, machine: Machine, told: Checks
) -> None:
    async def checks(repository: Repository) -> Checks:
        return told

    await machine.equip(replace(machine.equipment, checks=checks))
    task = await create(world, WRITE)
    await machine.run(task)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    assert ended.artifacts

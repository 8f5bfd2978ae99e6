"""What looks like a secret does not reach the forge, whoever committed it and however it ended."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from journeyman.domain.configuration import EnabledTools
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Reason, State
from journeyman.runner.equipment import Checks, Exposed
from journeyman.store.retention import expire_checkpoints
from tests.conftest import World
from tests.integration.engine.machine import Machine, create, find, log, patch, steer
from tests.integration.forge.client import git

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


MEND = """Take it out
```sh
git log --format=%s origin/main..HEAD
git reset -q --soft origin/main
echo 'key = None' > app.py
```"""


async def test_a_follow_up_begins_with_what_was_refused_and_may_rewrite_it(
    world: World, machine: Machine
) -> None:
    task = await create(world, OVERWRITE)
    await machine.run(task)
    again = await steer(world, task, "Take it out\n```sh\necho '# mended' >> app.py\n```")
    await machine.run(again)
    ended = (await find(world, task)).session
    assert ended.state_reason is Reason.PUSH_REJECTED, "it is in the history still"
    again = await steer(world, task, MEND)
    await machine.run(again)
    ended = (await find(world, task)).session
    assert ended.state is State.COMPLETED, ended.error
    bare = world.parts.embedded.path(task.repository.id)
    history = git(bare, "log", "-p", f"main..{ended.head_ref}")
    assert "+key = None" in history
    assert KEY not in history
    told = [one.data for one in await log(world, task)]
    assert sum(one.get("infoType") == "push_rejected" for one in told) == 2
    listed = next(one for one in told if "Add a key" in str(one.get("result")))
    assert listed, "the commits that were refused are there to be rewritten"


@pytest.mark.parametrize("kept", [True, False])
async def test_a_follow_up_is_told_of_refused_work_when_it_has_it(
    world: World, machine: Machine, *, kept: bool
) -> None:
    task = await create(world, WRITE)
    await machine.run(task)
    if not kept:
        later = datetime.now(UTC) + timedelta(days=90)
        await world.parts.database.write(lambda tx: expire_checkpoints(tx, later, later, 10))
    again = await steer(world, task, "Look\n\n```sh\nls\n```")
    verdict = await machine.worker.prepare(again.session.id, 1, {})
    prompt = machine.worker._open[again.session.id].conversation.messages[0]
    assert ("last session was refused" in str(prompt)) is kept
    await machine.run(again, verdict=verdict)
    told = [one.data.get("infoType") for one in await log(world, task)]
    assert ("push_rejected" in told) is kept
    assert ((await find(world, task)).session.state is State.FAILED) is kept


async def test_what_somebody_else_has_pushed_is_merged_by_a_follow_up(
    world: World, machine: Machine
) -> None:
    task = await create(world, "Write\n\n```sh\necho 1 > one.txt\n```")
    bare, ref = world.parts.embedded.path(task.repository.id), task.session.head_ref
    tree = git(bare, "rev-parse", "main^{tree}")
    who = ("-c", "user.name=Bob", "-c", "user.email=bob@example.test")
    theirs = git(bare, *who, "commit-tree", tree, "-p", "main", "-m", "Bob's")
    verdict = await machine.work(task)
    git(bare, "update-ref", f"refs/heads/{ref}", theirs)
    await machine.run(task, verdict=verdict)
    ended = (await find(world, task)).session
    assert ended.state_reason is Reason.PUSH_REJECTED
    assert f"Somebody else has pushed {theirs[:12]}" in (ended.error or "")
    again = await steer(world, task, f"Merge\n\n```sh\ngit merge -q --no-edit origin/{ref}\n```")
    await machine.run(again)
    ended = (await find(world, task)).session
    assert ended.state is State.COMPLETED, ended.error
    assert git(bare, "merge-base", theirs, ref) == theirs
    assert git(bare, "show", f"{ref}:one.txt") == "1"

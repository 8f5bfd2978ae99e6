"""The pull request of a task over several sessions."""

from __future__ import annotations

import pytest

from journeyman.domain.artifacts import PullArtifact
from journeyman.domain.queries import PullQuery
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask
from journeyman.service.pulls import PullEdit
from tests.conftest import World
from tests.integration.engine.machine import Machine, create, find, steer

pytestmark = [pytest.mark.sandbox, pytest.mark.engine]


async def test_none_is_opened_after_the_tasks_own_was_closed(
    world: World, machine: Machine
) -> None:
    alice, access = await world.principal("alice"), await world.access("alice")
    asked = NewTask("One\n\n```sh\necho 1 > 1.txt\n```", create_pull_request=True)
    task = await world.parts.services.tasks.create(alice, access, asked)
    await machine.run(task)
    (made,) = [one for one in (await find(world, task)).artifacts if isinstance(one, PullArtifact)]
    pulls = world.parts.services.pulls
    await pulls.update(alice, access, made.number, PullEdit(open=False))

    followed = await steer(world, task, "Two\n\n```sh\necho 2 > 2.txt\n```")
    await machine.run(followed)

    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED
    assert [one for one in ended.artifacts if isinstance(one, PullArtifact)] == [made]
    listed, _ = await pulls.list_pulls(access, PullQuery(open=None))
    assert [found.pull.number for found in listed] == [made.number]


async def test_one_that_is_opened_while_the_agent_works_is_ready_at_the_end(
    world: World, machine: Machine
) -> None:
    task = await create(world, "First\n\n```sh\necho one > one.txt\n```")
    await machine.run(task)
    followed = await steer(
        world, task, "Then <!-- journeyman x -->\n\n```sh\necho two > two.txt\n```"
    )
    verdict = await machine.worker.prepare(followed.session.id, 1, {})
    alice, access = await world.principal("alice"), await world.access("alice")
    opened = await world.parts.services.proposing.propose(alice, access, task.id)
    assert (opened.draft, "Original prompt" in opened.body) == (True, False)
    await machine.run(followed, verdict=verdict)
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    (found,), _ = await world.parts.services.pulls.list_pulls(access, PullQuery(open=None))
    assert (found.pull.draft, "Original prompt" in found.pull.body) == (False, True)

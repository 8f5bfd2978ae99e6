"""ghapi: its operations come from GitHub's description."""

from __future__ import annotations

import pytest
from fasttransport.errors import APIError  # type: ignore[import-untyped]
from ghapi.all import GhApi

from tests.conformance.conftest import OWNER, REPO, Forge


def client(forge: Forge, user: str = "alice") -> GhApi:
    token = forge.tokens.get(user, "ghp_" + "x" * 36)
    return GhApi(  # type: ignore[no-untyped-call]
        token=token, gh_host=forge.url
    )


async def test_all_five_operations(forge: Forge) -> None:
    tasks = client(forge).agent_tasks
    made = await tasks.create_task_in_repo(OWNER, REPO, prompt="From ghapi")
    one = await tasks.get_task_by_id(made.id)
    again = await tasks.get_task_by_repo_and_id(OWNER, REPO, made.id)
    assert one.sessions[0].prompt == again.sessions[0].prompt == "From ghapi"
    mine = await tasks.list_tasks(sort="created_at", direction="desc")
    theirs = await tasks.list_tasks_for_repo(OWNER, REPO, sort="created_at", direction="desc")
    assert mine.tasks[0].id == theirs.tasks[0].id == made.id


async def test_filters_and_pages(forge: Forge) -> None:
    tasks, seeded = client(forge).agent_tasks, forge.seeded
    found = await tasks.list_tasks_for_repo(OWNER, REPO, state="completed")
    assert [task.id for task in found.tasks] == [seeded.finished]
    found = await tasks.list_tasks_for_repo(OWNER, REPO, creator_id=[seeded.alice_id, 999])
    assert len(found.tasks) == 30
    first, second = [await tasks.list_tasks(per_page=5, page=page) for page in (1, 2)]
    assert not {task.id for task in first.tasks} & {task.id for task in second.tasks}


async def test_errors(forge: Forge) -> None:
    for user, status in (("nobody", 401), ("bob", 403), ("mallory", 404)):
        with pytest.raises(APIError) as caught:
            await client(forge, user).agent_tasks.create_task_in_repo(OWNER, REPO, prompt="x")
        assert caught.value.status_code == status
    with pytest.raises(APIError) as invalid:
        await client(forge).agent_tasks.create_task_in_repo(OWNER, REPO, prompt="")
    assert invalid.value.raw["errors"][0]["code"] == "missing_field"

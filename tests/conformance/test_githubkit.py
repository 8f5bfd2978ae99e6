"""githubkit: generated, typed; it refuses whatever its models do not know."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from githubkit import GitHub, TokenAuthStrategy
from githubkit.exception import RequestFailed

from tests.conformance.conftest import OWNER, REPO, SEEDED, TASKS, Forge

Kit = GitHub[TokenAuthStrategy]


@pytest.fixture(params=["", "/api/v3"])
def kit(forge: Forge, request: pytest.FixtureRequest) -> Kit:
    return client(forge, prefix=request.param)


def client(forge: Forge, user: str = "alice", prefix: str = "") -> Kit:
    auth = TokenAuthStrategy(forge.tokens.get(user, "ghp_" + "x" * 36))
    return GitHub(auth, base_url=forge.url + prefix, auto_retry=False, http_cache=False)


def test_all_five_operations(kit: Kit) -> None:
    tasks: Any = kit.rest.agent_tasks
    made = tasks.create_task_in_repo(OWNER, REPO, prompt="From githubkit", base_ref="main")
    assert made.status_code == 201
    one = tasks.get_task_by_id(made.parsed_data.id).parsed_data
    assert (one.state, one.sessions and one.sessions[0].prompt) == ("queued", "From githubkit")
    again = tasks.get_task_by_repo_and_id(OWNER.upper(), REPO, one.id).parsed_data
    assert again.model_dump() == one.model_dump()
    newest = {"sort": "created_at", "direction": "desc"}
    mine = tasks.list_tasks(**newest).parsed_data
    assert mine.tasks[0].id == one.id
    theirs = tasks.list_tasks_for_repo(OWNER, REPO, **newest).parsed_data
    assert theirs.tasks[0].id == one.id
    assert theirs.total_active_count == mine.total_active_count


def test_a_finished_task_fits_its_models(kit: Kit, forge: Forge) -> None:
    task = kit.rest.agent_tasks.get_task_by_id(forge.seeded.finished).parsed_data
    assert task.state == "completed"
    assert [artifact.type for artifact in task.artifacts or []] == ["branch", "pull"]
    assert task.sessions
    assert task.sessions[0].usage
    assert task.sessions[0].usage.amount == 1_500_000_000


def test_pages_come_to_an_end(kit: Kit) -> None:
    pages = kit.rest.paginate(
        kit.rest.agent_tasks.list_tasks_for_repo,
        map_func=lambda answer: answer.parsed_data.tasks,
        owner=OWNER,
        repo=REPO,
        per_page=10,
    )
    ids = [task.id for task in pages]
    assert len(ids) == len(set(ids)) >= SEEDED - 1


def test_filters_are_understood_as_it_writes_them(kit: Kit, forge: Forge) -> None:
    tasks, seeded = kit.rest.agent_tasks, forge.seeded

    def ids(**filters: object) -> list[str]:
        found = tasks.list_tasks_for_repo(OWNER, REPO, **filters)  # type: ignore[arg-type]
        return [task.id for task in found.parsed_data.tasks]

    assert ids(state="completed,failed") == [seeded.finished]
    assert ids(is_archived=True) == [seeded.archived]
    assert len(ids(creator_id=[seeded.alice_id, 999], per_page=100)) >= SEEDED - 1
    assert ids(creator_id=[999]) == []
    assert ids(since=datetime(2099, 1, 1, tzinfo=UTC)) == []


def test_its_cache_revalidates(forge: Forge) -> None:
    kit = GitHub(TokenAuthStrategy(forge.token), base_url=forge.url, http_cache=True)
    first = kit.rest.agent_tasks.get_task_by_id(forge.seeded.finished)
    second = kit.rest.agent_tasks.get_task_by_id(forge.seeded.finished)
    assert first.parsed_data == second.parsed_data
    known = {"If-None-Match": first.headers["etag"]}
    plain = client(forge)
    answer = plain.request("GET", f"{TASKS}/{forge.seeded.finished}", headers=known)
    assert answer.status_code == 304


@pytest.mark.parametrize(
    ("user", "prompt", "more", "status"),
    [
        ("nobody", "x", {}, 401),
        ("bob", "x", {}, 403),
        ("mallory", "x", {}, 404),
        ("alice", "x", {"base_ref": "nowhere"}, 422),
        ("alice", "", {}, 422),
    ],
)
def test_errors_are_its_own(
    forge: Forge, user: str, prompt: str, more: dict[str, str], status: int
) -> None:
    kit = client(forge, user)  # it must be held: its parts refer to it weakly
    tasks: Any = kit.rest.agent_tasks
    with pytest.raises(RequestFailed) as caught:
        tasks.create_task_in_repo(OWNER, REPO, prompt=prompt, **more)
    assert caught.value.response.status_code == status
    if status != 404:  # GitHub describes none for POST
        error = caught.value.response.parsed_data
        assert error.message
    if status == 422:
        assert caught.value.response.json()["errors"][0]["code"]


@pytest.mark.parametrize(("version", "status"), [("2019-01-01", 410), ("tomorrow", 400)])
def test_versions_are_refused_as_github_does(forge: Forge, version: str, status: int) -> None:
    with pytest.raises(RequestFailed) as caught:
        client(forge).request("GET", "/agents/tasks", headers={"X-GitHub-Api-Version": version})
    assert caught.value.response.status_code == status


def test_the_objects_around_fit_its_models(kit: Kit) -> None:
    rest: Any = kit.rest
    assert rest.users.get_authenticated().parsed_data.login == "alice"
    assert rest.repos.get(OWNER, REPO).parsed_data.full_name == f"{OWNER}/{REPO}"
    assert rest.meta.root().parsed_data.current_user_url
    assert rest.rate_limit.get().parsed_data.resources.core.limit == 5000
    assert rest.meta.get_all_versions().parsed_data
    names = [branch.name for branch in rest.repos.list_branches(OWNER, REPO).parsed_data]
    assert {"fix", "main"} <= set(names)
    branch = rest.repos.get_branch(OWNER, REPO, "fix").parsed_data
    assert rest.git.get_ref(OWNER, REPO, "heads/fix").parsed_data.object_.sha == branch.commit.sha
    commit = rest.repos.get_commit(OWNER, REPO, "fix").parsed_data
    assert [file.filename for file in commit.files or []] == ["fix.txt"]


def test_pull_requests_fit_its_models(kit: Kit) -> None:
    pulls: Any = kit.rest.pulls
    known = pulls.list(OWNER, REPO, head=f"{OWNER}:fix").parsed_data
    if not known:
        made = pulls.create(OWNER, REPO, title="Fix", head="fix", base="main").parsed_data
        assert (made.state, made.mergeable, made.commits) == ("open", True, 1)
        known = pulls.list(OWNER, REPO, head=f"{OWNER}:fix").parsed_data
    number = known[0].number
    assert pulls.get(OWNER, REPO, number).parsed_data.head.ref == "fix"
    assert [file.status for file in pulls.list_files(OWNER, REPO, number).parsed_data] == ["added"]
    commits = pulls.list_commits(OWNER, REPO, number).parsed_data
    assert [commit.commit.message for commit in commits] == ["Fix"]
    changed = pulls.update(OWNER, REPO, number, body="Because").parsed_data
    assert changed.body == "Because"


def test_variables_and_secrets_fit_its_models(kit: Kit) -> None:
    agents = kit.rest.agents
    made = agents.create_repo_variable(OWNER, REPO, name="KIT", value="1")
    assert made.status_code == 201
    assert agents.get_repo_variable(OWNER, REPO, "KIT").parsed_data.value == "1"
    assert agents.list_repo_variables(OWNER, REPO).parsed_data.total_count >= 1
    assert agents.delete_repo_variable(OWNER, REPO, "KIT").status_code == 204
    assert agents.get_repo_public_key(OWNER, REPO).parsed_data.key_id


async def test_it_works_asynchronously_too(forge: Forge) -> None:
    async with client(forge) as kit:
        answer = await kit.rest.agent_tasks.async_list_tasks(per_page=1)
    assert len(answer.parsed_data.tasks) == 1

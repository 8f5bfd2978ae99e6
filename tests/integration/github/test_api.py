"""What Journeyman's API answers when a GitHub is its forge: no worker, no sandbox."""

from __future__ import annotations

import httpx
import pytest

from journeyman import app
from journeyman.administering import operating
from journeyman.domain.artifacts import BranchArtifact
from journeyman.domain.errors import AppError, Code
from journeyman.store import tasks
from tests.conftest import configured
from tests.contract.openapi.validator import check
from tests.integration.github.conftest import TASKS, Service
from tests.integration.github.site import URL
from tests.peers.faulty import Fault

pytestmark = pytest.mark.npm

PROMPT = "Fix it"


async def get(client: httpx.AsyncClient, path: str, status: int = 200) -> httpx.Response:
    response = await client.get(path)
    assert response.status_code == status, response.text
    return response


async def test_users_and_repositories_are_githubs_own(service: Service) -> None:
    user = (await get(service.octo, "/user")).json()
    assert (user["login"], user["id"]) == ("octo", service.github.state.user("octo").id)
    found = await get(service.octo, "/api/v3/repos/octo/app")
    check("GET", "/api/v3/repos/octo/app", found)
    assert found.json()["permissions"]["admin"]
    await get(service.client(service.tokens["mallory"]), "/repos/octo/app", 404)
    await get(service.octo, "/repos/octo/app/pulls")
    await get(service.octo, "/repos/octo/app/git/ref/heads/main")


async def test_the_token_is_asked_about_once_a_minute(service: Service) -> None:
    for _ in range(5):
        await get(service.octo, TASKS)
    assert len(service.github.asked("GET /api/v3/user$")) == 1
    assert len(service.github.asked("GET /api/v3/repos/octo/app$")) == 1


async def test_a_task_is_its_repositorys_readers_to_see(service: Service) -> None:
    task = await service.create(PROMPT)
    bob, mallory = (service.client(service.tokens[who]) for who in ("bob", "mallory"))
    assert task["repository"]["id"] == service.repository.id
    seen = await get(bob, f"/agents/tasks/{task['id']}")
    check("GET", f"/agents/tasks/{task['id']}", seen)
    await get(mallory, f"/agents/tasks/{task['id']}", 404)
    own = (await get(service.octo, "/agents/tasks")).json()["tasks"]
    assert [one["id"] for one in own] == [task["id"]]
    assert (await get(bob, "/agents/tasks")).json()["tasks"] == []


async def test_who_loses_access_loses_its_tasks(service: Service) -> None:
    task = await service.create(PROMPT)
    service.repository.owner = service.github.state.user("bob")
    other = service.github.state.add_token("octo")
    await get(service.client(other), f"/agents/tasks/{task['id']}", 404)
    assert (await get(service.client(other), "/agents/tasks")).json()["tasks"] == []


async def test_starting_a_task_needs_write_access_and_a_branch(service: Service) -> None:
    service.repository.roles[service.github.state.user("bob").id] = "read"
    bob = service.client(service.tokens["bob"])
    refused = await bob.post(TASKS, json={"prompt": PROMPT})
    assert (refused.status_code, "write access" in refused.text) == (403, True)
    refused = await service.octo.post(TASKS, json={"prompt": PROMPT, "base_ref": "nothing"})
    assert (refused.status_code, "'nothing'" in refused.text) == (422, True)
    service.repository.archived = True
    refused = await service.client(service.github.state.add_token("octo")).post(
        TASKS, json={"prompt": PROMPT}
    )
    assert (refused.status_code, "archived" in refused.text) == (403, True)


async def test_a_bad_token_and_an_installations_are_refused(service: Service) -> None:
    service.github.state.tokens[service.tokens["bob"]].revoked = True
    refused = await get(service.client(service.tokens["bob"]), "/user", 401)
    assert refused.json()["message"] == "Bad credentials"
    refused = await get(service.client("ghs_" + "a" * 36), "/user", 403)
    assert refused.json()["message"] == "Resource not accessible by integration"
    assert service.github.asked("ghs_") == []


async def test_a_renamed_repository_is_found_under_both_names(service: Service) -> None:
    task = await service.create(PROMPT)
    service.github.state.rename(service.repository, service.repository.owner, "app2")
    token = service.github.state.add_token("octo")
    moved = await get(service.client(token), TASKS, 301)
    assert "/app2/" in moved.headers["location"]
    found = await get(service.client(token), f"/agents/tasks/{task['id']}")
    assert found.json()["id"] == task["id"]


async def test_another_repository_of_the_same_name_is_another(service: Service) -> None:
    task = await service.create(PROMPT)
    state = service.github.state
    service.repository.name = "moved-away"
    state.add_repository("octo/app", service.repository.bare)
    token = state.add_token("octo")
    await get(service.client(token), f"/agents/tasks/{task['id']}", 404)
    listed = (await get(service.client(token), TASKS)).json()["tasks"]
    assert listed == []


async def test_a_github_that_is_away_is_unavailable(service: Service) -> None:
    service.github.faults.append(Fault("GET /api/v3/user", 502, times=9))
    refused = await get(service.octo, TASKS, 503)
    assert "GitHub has trouble (502)" in refused.json()["message"]


async def test_the_pull_request_of_a_task_is_opened_afterwards(service: Service) -> None:
    task_id = (await service.create("Say it\nlouder"))["id"]
    place = f"{TASKS}/{task_id}/pulls"
    refused = await service.octo.post(place)
    assert refused.status_code == 422
    assert "no branch yet" in refused.json()["message"]
    branch = BranchArtifact("topic", "main")
    await service.parts.database.write(lambda tx: tasks.add_artifact(tx, task_id, branch))
    for _ in range(2):
        opened = await service.octo.post(place)
        assert opened.status_code == 201, opened.text
    (pull,) = service.repository.pulls
    assert opened.json() == {
        "id": pull.id,
        "number": pull.number,
        "repository_id": service.repository.id,
    }
    assert (pull.title, pull.draft) == ("Say it", True)
    assert pull.body.startswith(
        "> Say it\n> louder\n\nRequested by @octo. [Follow the agent's log]("
    )
    assert [one.login for one in pull.assignees] == ["octo"]
    check("POST", place, opened)
    pull.state = "closed"
    refused = await service.octo.post(place)
    assert refused.status_code == 422
    assert "was closed; reopen it" in refused.json()["message"]
    other = service.client(service.tokens["mallory"])
    assert (await other.post(place)).status_code == 404


async def test_what_only_an_embedded_forge_has_is_said_to_be_elsewhere(service: Service) -> None:
    for path in ("/octo/app.git/info/refs", "/applications/x/token", "/user/repos"):
        refused = await get(service.octo, path, 404)
        assert f"are at {service.github.url}" in refused.json()["message"], path
    refused = await service.octo.post("/repos/octo/app/pulls", json={})
    assert refused.status_code == 404


async def test_a_data_directory_stays_with_its_forge(service: Service) -> None:
    await service.create(PROMPT)
    data = service.parts.config.data
    with pytest.raises(AppError, match="belongs to the forge http://127") as caught:
        async with app.parts(configured(data), URL):
            pass
    assert caught.value.code is Code.CONFLICT
    with pytest.raises(AppError, match="are at http://127"):
        async with operating(service.parts.config):
            pass


async def test_the_custom_agents_of_a_repository_are_listed(service: Service) -> None:
    await get(service.octo, "/agents/repos/octo/app/custom-agents")

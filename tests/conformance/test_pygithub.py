"""PyGithub: has no task operations; its requester and its lists are driven directly."""

from __future__ import annotations

from typing import Any

import pytest
from github import Auth, Github
from github.GithubException import (
    BadCredentialsException,
    GithubException,
    UnknownObjectException,
)

from tests.conformance.conftest import FULL_NAME, SEEDED, TASKS, Forge


@pytest.fixture(params=["", "/api/v3"])
def hub(forge: Forge, request: pytest.FixtureRequest) -> Github:
    return client(forge, prefix=request.param)


def client(forge: Forge, user: str = "alice", prefix: str = "") -> Github:
    token = forge.tokens.get(user, "ghp_" + "x" * 36)
    return Github(
        auth=Auth.Token(token),
        base_url=forge.url + prefix,
        retry=None,
        seconds_between_requests=None,
        seconds_between_writes=None,
    )


def ask(hub: Github, verb: str, path: str, **more: Any) -> tuple[dict[str, Any], Any]:
    return hub.requester.requestJsonAndCheck(verb, path, **more)


def test_all_five_operations(hub: Github) -> None:
    _, made = ask(hub, "POST", TASKS, input={"prompt": "From PyGithub"})
    _, one = ask(hub, "GET", f"/agents/tasks/{made['id']}")
    _, again = ask(hub, "GET", f"{TASKS}/{made['id']}")
    assert one == again
    assert one["sessions"][0]["prompt"] == "From PyGithub"
    newest = {"sort": "created_at", "direction": "desc", "per_page": 1}
    for path in ("/agents/tasks", TASKS):
        _, page = ask(hub, "GET", path, parameters=newest)
        assert page["tasks"][0]["id"] == made["id"]


def test_its_lists_follow_the_pages(hub: Github) -> None:
    url, seen = f"{TASKS}?per_page=10", []
    while url:
        headers, page = ask(hub, "GET", url)
        seen += [task["id"] for task in page["tasks"]]
        links = {
            part.split(";")[1].strip()[5:-1]: part.split(";")[0].strip(" <>")
            for part in headers["link"].split(",")
        }
        url = links.get("next", "")
    assert len(seen) == len(set(seen)) >= SEEDED - 1


def test_filters(hub: Github, forge: Forge) -> None:
    for filters, expected in (
        ({"state": "completed"}, [forge.seeded.finished]),
        ({"is_archived": "true"}, [forge.seeded.archived]),
        ({"since": "2099-01-01T00:00:00+00:00"}, []),
    ):
        _, page = ask(hub, "GET", TASKS, parameters=filters)
        assert [task["id"] for task in page["tasks"]] == expected


def test_the_objects_around_are_its_own(hub: Github) -> None:
    assert hub.get_user().login == "alice"
    repository = hub.get_repo(FULL_NAME)
    assert repository.default_branch == "main"
    assert {"fix", "main"} <= {branch.name for branch in repository.get_branches()}
    fix = repository.get_branch("fix").commit
    assert repository.get_git_ref("heads/fix").object.sha == fix.sha
    assert [file.filename for file in repository.get_commit("fix").files] == ["fix.txt"]
    assert hub.get_rate_limit().rate.limit == 5000


def test_a_conditional_request_is_not_modified(forge: Forge, hub: Github) -> None:
    path = f"{TASKS}/{forge.seeded.finished}"
    headers, _ = ask(hub, "GET", path)
    status, _, _ = hub.requester.requestJson(
        "GET", path, headers={"If-None-Match": headers["etag"]}
    )
    assert status == 304


def test_errors_are_its_own(forge: Forge) -> None:
    for user, expected, status in (
        ("nobody", BadCredentialsException, 401),
        ("mallory", UnknownObjectException, 404),
        ("bob", GithubException, 403),
    ):
        with pytest.raises(expected) as caught:
            ask(client(forge, user), "POST", TASKS, input={"prompt": "x"})
        assert caught.value.status == status
    with pytest.raises(GithubException) as invalid:
        ask(client(forge), "POST", TASKS, input={"prompt": "x", "base_ref": "nowhere"})
    assert invalid.value.status == 422
    assert isinstance(invalid.value.data, dict)
    assert invalid.value.data["errors"][0]["field"] == "base_ref"

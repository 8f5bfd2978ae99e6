"""Git over HTTP takes every kind of token, and no more from it than it may do."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman.domain.repositories import Permission
from tests.integration.signin.conftest import Site

FETCH, PUSH = "git-upload-pack", "git-receive-pack"


async def status(site: Site, repository: str, service: str, token: str) -> int:
    path = f"/{repository}.git/info/refs"
    answer = await site.client().get(path, params={"service": service}, auth=("x", token))
    return answer.status_code


@pytest.fixture
async def repositories(site: Site, source: Path) -> None:
    for name, private in (("alice/hidden", True), ("alice/other", True), ("alice/open", False)):
        await site.administration.add_repository(name, str(source), private=private)
    await site.administration.grant("alice/hidden", "bob", Permission.READ)


@pytest.mark.usefixtures("repositories")
@pytest.mark.parametrize(
    ("user", "permission", "selected", "expected"),
    [
        ("bob", "contents=write", None, {"hidden": (200, 403), "other": (404, 404)}),
        ("alice", "contents=write", None, {"hidden": (200, 200), "open": (200, 200)}),
        ("alice", "contents=read", None, {"hidden": (200, 403), "open": (200, 403)}),
        ("alice", "agent_tasks=write", None, {"hidden": (403, 403), "open": (200, 403)}),
        (
            "alice",
            "contents=write",
            ["alice/hidden"],
            {"hidden": (200, 200), "other": (404, 404), "open": (200, 403)},
        ),
    ],
)
async def test_a_fine_grained_token_fetches_and_pushes_what_it_may(
    site: Site,
    user: str,
    permission: str,
    selected: list[str] | None,
    expected: dict[str, tuple[int, int]],
) -> None:
    name, _, level = permission.partition("=")
    token, _ = await site.administration.create_fine_grained_token(
        user, permissions={"metadata": "read", name: level}, repositories=selected
    )
    for repository, (fetches, pushes) in expected.items():
        assert await status(site, f"alice/{repository}", FETCH, token) == fetches, repository
        assert await status(site, f"alice/{repository}", PUSH, token) == pushes, repository


@pytest.mark.usefixtures("repositories")
async def test_scopes_count_for_git_too(site: Site) -> None:
    whole, _ = await site.administration.create_token("alice", scopes=("repo",))
    public, _ = await site.administration.create_token("alice", scopes=("public_repo",))
    bare, _ = await site.administration.create_token("alice", scopes=())
    for token, pushes in ((whole, 200), (public, 200), (bare, 403)):
        assert await status(site, "alice/open", PUSH, token) == pushes
    for token, fetches in ((whole, 200), (public, 404), (bare, 404)):
        assert await status(site, "alice/hidden", FETCH, token) == fetches

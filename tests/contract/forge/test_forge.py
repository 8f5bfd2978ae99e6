"""What every forge does, on each implementation. Git over HTTP has its own suite."""

from datetime import timedelta

import pytest

from journeyman import git as host_git
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import SCOPED
from journeyman.domain.repositories import Permission, PullState
from journeyman.forge import ForgeError, NewPull, PullChange
from journeyman.workspace.remotes import protocol
from tests.contract.forge.worlds import World
from tests.integration.forge.client import git


async def test_a_user_token_says_who_it_speaks_for(world: World) -> None:
    for name, kind in world.kinds.items():
        principal = await world.forge.identify(world.token("alice", name))
        alice = world.account("alice")
        assert (principal.account.id, principal.account.login) == (alice.id, alice.login)
        assert principal.kind is kind
        assert (principal.scopes is not None) == (principal.kind in SCOPED)


async def test_a_token_that_expires_later_says_when(world: World) -> None:
    principal = await world.forge.identify(world.token("alice", expires_in=timedelta(hours=1)))
    assert (principal.expires_at is not None) == world.tells_expiry


async def test_what_is_no_token_is_refused(world: World) -> None:
    for token in ("", "x", "ghp_", "ghp_" + "é" * 36, "ghp_\ud800", "a\0b", "ghp_a\r\nX: y"):
        with pytest.raises(AppError, match=r"^Bad credentials$") as caught:
            await world.forge.identify(token)
        assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_token_that_has_ended_is_refused(world: World) -> None:
    for token in (
        world.token("alice", expires_in=timedelta(0)),
        world.token("alice", revoked=True),
    ):
        with pytest.raises(AppError, match=r"^Bad credentials$"):
            await world.forge.identify(token)


async def test_an_installation_token_is_forbidden_by_its_prefix_alone(world: World) -> None:
    for token in ("ghs_" + "a" * 36, "ghs_12345_" + "a.b" * 200):
        with pytest.raises(AppError, match=r"^Resource not accessible by integration$") as caught:
            await world.forge.identify(token)
        assert caught.value.code is Code.FORBIDDEN


async def test_a_repository_is_found_in_any_case_by_those_who_may_see_it(world: World) -> None:
    async def permission(login: str) -> Permission | None:
        principal = await world.forge.identify(world.token(login))
        access = await world.forge.find_access(principal, "ALICE", "app")
        if access is not None:
            found, app = access.repository, world.app
            assert (found.id, found.full_name) == (app.id, app.full_name)
            assert (found.owner.id, found.default_branch) == (app.owner.id, "main")
            assert (found.private, found.archived) == (True, False)
        return access.permission if access else None

    assert await permission("alice") is Permission.ADMIN
    assert await permission("bob") is Permission.READ
    assert await permission("mallory") is None


async def test_a_missing_repository_is_none(world: World) -> None:
    principal = await world.forge.identify(world.token("alice"))
    assert await world.forge.find_access(principal, "alice", "nothing") is None


async def test_a_branch_has_its_tip(world: World) -> None:
    actor = world.actor("alice")
    for branch in ("main", "topic"):
        expected = git(world.source, "rev-parse", branch)
        assert await world.forge.find_tip(actor, world.app, branch) == expected


NO_BRANCHES = (
    "", "v1", "nothing", "main^{tree}", "main~1", "--help", "-", "../HEAD", "refs/heads/main",
    "main\n", "a\0b", "\ud800", "main@{0}", "a..b", "x" * 5000, "HEAD", "*", "m?in", "ü/ß",
)  # fmt: skip


async def test_what_is_no_branch_has_no_tip(world: World) -> None:
    for branch in NO_BRANCHES:
        assert await world.forge.find_tip(world.actor("alice"), world.app, branch) is None, branch


async def test_git_on_the_host_gets_a_remote_of_the_actor(world: World) -> None:
    remote = await world.forge.remote(world.actor("alice"), world.app)
    listed = await host_git.run(
        *("ls-remote", remote.url, "main"), protocols=protocol(remote), env=remote.env
    )
    assert listed.decode().split()[0] == git(world.source, "rev-parse", "main")
    assert remote.writable
    assert not (await world.forge.remote(world.actor("bob"), world.app)).writable
    with pytest.raises(AppError) as caught:
        await world.forge.remote(world.actor("mallory"), world.app)
    assert caught.value.code is Code.NOT_FOUND


async def test_a_pull_request_is_opened_once_and_changed(world: World) -> None:
    actor = world.actor("alice")
    new = NewPull("Title", "Body", "topic", "main")
    assert await world.forge.find_pull(actor, world.app, "topic", "main") is None
    pull = await world.forge.open_pull(actor, world.app, new)
    assert (pull.state, pull.draft, pull.title) == (PullState.OPEN, True, "Title")
    assert pull.user_id == world.account("alice").id
    assert await world.forge.open_pull(actor, world.app, new) == pull
    assert await world.forge.find_pull(actor, world.app, "topic", "main") == pull
    assert not await world.forge.was_closed(actor, world.app, pull.number)
    assert not await world.forge.was_closed(actor, world.app, 99)
    change = PullChange(draft=False, body="B")
    changed = await world.forge.update_pull(actor, world.app, pull.number, change)
    assert (changed.draft, changed.body, changed.title) == (False, "B", "Title")


async def test_a_pull_request_needs_its_branches(world: World) -> None:
    new = NewPull("Title", "Body", "not-pushed", "main")
    with pytest.raises(ForgeError, match="no branch 'not-pushed'"):
        await world.forge.open_pull(world.actor("alice"), world.app, new)


async def test_a_change_of_an_unknown_pull_request_is_not_found(world: World) -> None:
    with pytest.raises(AppError) as caught:
        await world.forge.update_pull(world.actor("alice"), world.app, 99, PullChange("T"))
    assert caught.value.code is Code.NOT_FOUND

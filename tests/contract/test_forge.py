"""What every forge does, on each implementation. Git over HTTP has its own suite."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor, TokenKind
from journeyman.domain.repositories import Account, Permission, PullState, Repository
from journeyman.forge import Forge, ForgeError, NewPull, PullChange
from journeyman.forge.embedded import tokens
from journeyman.forge.embedded.forge import EmbeddedForge
from tests.contract.records import START, MemoryRecords
from tests.integration.forge.client import git, repository


@dataclass
class World:
    """A forge with three users: Alice owns `app`, Bob may read it, Mallory may not see it."""

    forge: Forge
    embedded: EmbeddedForge
    records: MemoryRecords
    alice: Account
    bob: Account
    mallory: Account
    app: Repository
    source: Path

    def actor(self, account: Account) -> Actor:
        return Actor(account)


def clock() -> datetime:
    return START


@pytest.fixture
async def world(tmp_path: Path) -> World:
    records = MemoryRecords()
    alice, bob, mallory = (records.add_account(name) for name in ("alice", "bob", "mallory"))
    app = records.add_repository(alice, "App")
    records.collaborators[bob.id, app.id] = Permission.READ
    forge = EmbeddedForge(records, tmp_path / "repositories", clock=clock)
    source = repository(tmp_path / "source")
    await forge.import_repository(app.id, str(source))
    return World(forge, forge, records, alice, bob, mallory, app, source)


@pytest.fixture
def bare(world: World) -> Path:
    return world.embedded.path(world.app.id)


@pytest.mark.parametrize(
    ("prefix", "kind"),
    [
        ("ghp_", TokenKind.CLASSIC),
        ("github_pat_", TokenKind.FINE_GRAINED),
        ("gho_", TokenKind.OAUTH),
        ("ghu_", TokenKind.APP_USER),
    ],
)
async def test_a_user_token_says_who_it_speaks_for(
    world: World, prefix: str, kind: TokenKind
) -> None:
    token = world.records.add_token(world.alice, prefix)
    principal = await world.forge.identify(token)
    assert (principal.account, principal.kind) == (world.alice, kind)
    scoped = kind in (TokenKind.CLASSIC, TokenKind.OAUTH)
    assert principal.scopes == (("repo",) if scoped else None)
    assert world.records.touched == [principal.token_id]


async def test_a_token_that_expires_later_says_when(world: World) -> None:
    token = world.records.add_token(world.alice, expires_in=timedelta(hours=1))
    assert (await world.forge.identify(token)).expires_at == START + timedelta(hours=1)


@pytest.mark.parametrize("token", ["", "x", "ghp_", "ghp_" + "é" * 36, "ghp_\ud800", "a\0b"])
async def test_what_is_no_token_is_refused(world: World, token: str) -> None:
    with pytest.raises(AppError, match=r"^Bad credentials$") as caught:
        await world.forge.identify(token)
    assert caught.value.code is Code.UNAUTHENTICATED


async def test_a_token_with_a_typo_an_end_or_none_that_knows_it_is_refused(world: World) -> None:
    good = world.records.add_token(world.alice)
    refused = [
        tokens.mint("ghp_"),
        tokens.mint("ghr_"),
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        world.records.add_token(world.alice, expires_in=timedelta(0)),
        world.records.add_token(world.alice, revoked=True),
    ]
    for token in refused:
        with pytest.raises(AppError, match=r"^Bad credentials$"):
            await world.forge.identify(token)
    assert world.records.touched == []


async def test_an_installation_token_is_forbidden_by_its_prefix_alone(world: World) -> None:
    for token in (world.records.add_token(world.alice, "ghs_"), "ghs_12345_" + "a.b" * 200):
        with pytest.raises(AppError, match=r"^Resource not accessible by integration$") as caught:
            await world.forge.identify(token)
        assert caught.value.code is Code.FORBIDDEN


async def test_a_repository_is_found_in_any_case_by_those_who_may_see_it(world: World) -> None:
    async def permission(account: Account) -> Permission | None:
        principal = await world.forge.identify(world.records.add_token(account))
        access = await world.forge.find_access(principal, "ALICE", "app")
        assert access is None or access.repository == world.app
        return access.permission if access else None

    assert await permission(world.alice) is Permission.ADMIN
    assert await permission(world.bob) is Permission.READ
    assert await permission(world.mallory) is None


async def test_a_missing_repository_is_none(world: World) -> None:
    principal = await world.forge.identify(world.records.add_token(world.alice))
    assert await world.forge.find_access(principal, "alice", "nothing") is None


async def test_a_branch_has_its_tip(world: World) -> None:
    actor = world.actor(world.alice)
    for branch in ("main", "topic"):
        expected = git(world.source, "rev-parse", branch)
        assert await world.forge.find_tip(actor, world.app, branch) == expected


@pytest.mark.parametrize(
    "branch",
    ["", "v1", "nothing", "main^{tree}", "main~1", "--help", "-", "../HEAD", "refs/heads/main",
     "main\n", "a\0b", "\ud800", "main@{0}", "a..b", "x" * 5000, "HEAD", "*", "m?in", "ü/ß"],
)  # fmt: skip
async def test_what_is_no_branch_has_no_tip(world: World, branch: str) -> None:
    assert await world.forge.find_tip(world.actor(world.alice), world.app, branch) is None


async def test_git_on_the_host_gets_a_remote_of_the_actor(world: World) -> None:
    remote = await world.forge.remote(world.actor(world.alice), world.app)
    assert git(world.source, "ls-remote", remote.url, "main").split()[0]
    assert remote.writable
    assert not (await world.forge.remote(world.actor(world.bob), world.app)).writable
    with pytest.raises(AppError) as caught:
        await world.forge.remote(world.actor(world.mallory), world.app)
    assert caught.value.code is Code.NOT_FOUND


async def test_a_pull_request_is_opened_once_and_changed(world: World) -> None:
    actor = world.actor(world.alice)
    new = NewPull("Title", "Body", "topic", "main")
    assert await world.forge.find_pull(actor, world.app, "topic", "main") is None
    pull = await world.forge.open_pull(actor, world.app, new)
    assert (pull.number, pull.state, pull.draft) == (1, PullState.OPEN, True)
    assert pull.user_id == world.alice.id
    assert await world.forge.open_pull(actor, world.app, new) == pull
    assert await world.forge.find_pull(actor, world.app, "topic", "main") == pull
    assert not await world.forge.was_closed(actor, world.app, 1)
    assert not await world.forge.was_closed(actor, world.app, 9)
    changed = await world.forge.update_pull(actor, world.app, 1, PullChange(draft=False, body="B"))
    assert (changed.draft, changed.body, changed.title) == (False, "B", "Title")


async def test_a_pull_request_needs_its_branches(world: World) -> None:
    new = NewPull("Title", "Body", "not-pushed", "main")
    with pytest.raises(ForgeError, match="no branch 'not-pushed'"):
        await world.forge.open_pull(world.actor(world.alice), world.app, new)


async def test_a_change_of_an_unknown_pull_request_is_not_found(world: World) -> None:
    with pytest.raises(AppError) as caught:
        await world.forge.update_pull(world.actor(world.alice), world.app, 9, PullChange("T"))
    assert caught.value.code is Code.NOT_FOUND


async def test_missing_git_data_is_an_error_of_the_forge(world: World, bare: Path) -> None:
    (bare / "HEAD").unlink()
    with pytest.raises(ForgeError, match="alice/App is missing"):
        await world.forge.find_tip(world.actor(world.alice), world.app, "main")

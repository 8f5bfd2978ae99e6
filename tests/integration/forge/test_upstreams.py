"""Repositories whose home is on a plain git server, or at a path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

import journeyman.git
from journeyman import app
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import PullState, Repository
from journeyman.domain.sessions import State
from journeyman.domain.tasks import NewTask
from journeyman.forge import ForgeError, NewPull
from journeyman.forge.embedded import tokens
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.service.administration import Administration
from journeyman.service.pulls import MergeRequest
from journeyman.workspace import remotes
from tests.conftest import World, configured
from tests.contract.records import MemoryRecords
from tests.integration.engine.machine import Machine, find
from tests.integration.forge.client import client, commit, git, repository
from tests.peers.git_server import PAIR, GitServer, serving

NAME = "alice/app"
WRITE = "Say it\n\n```sh\ncat new.txt; echo HELLO > loud.txt\n```"


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    async with serving(tmp_path / "server", repository(tmp_path / "source")) as made:
        yield made


async def pushed(server: GitServer, where: Path, file: str, branch: str) -> str:
    """Somebody's commit that is on the server meanwhile."""
    await client(where.parent, "clone", "-q", str(server.repository.bare), str(where))
    made = commit(where, file, "since\n", "Since")
    git(where, "push", "-q", "origin", f"HEAD:{branch}")
    return made


@pytest.fixture
async def world(server: GitServer, data: Path) -> AsyncIterator[World]:
    config = configured(data, **{"git.credentials": {server.host: PAIR}})
    async with app.parts(config) as parts:
        administration = Administration(parts.database, parts.embedded, tokens)
        secrets = {"alice": (await administration.create_token("alice"))[0]}
        url = f"{server.url}/team/app.git"
        added = await administration.add_repository(NAME, url, upstream=True)
        yield World(parts, administration, added, secrets)


@pytest.mark.sandbox
@pytest.mark.engine
async def test_a_task_begins_with_what_is_there_and_pushes_there(
    world: World, server: GitServer, tmp_path: Path, data: Path
) -> None:
    bare = server.repository.bare
    new = await pushed(server, tmp_path / "clone", "new.txt", "main")
    services, alice = world.parts.services, await world.principal("alice")
    access = await world.access("alice")
    task = await services.tasks.create(alice, access, NewTask(WRITE, create_pull_request=True))
    machine = Machine(world, tmp_path / "machine")
    machine.worker.start()
    await machine.run(task)
    await machine.worker.stop()
    ended = await find(world, task)
    assert ended.session.state is State.COMPLETED, ended.session.error
    head = ended.session.head_ref
    assert git(bare, "show", f"{head}:loud.txt") == "HELLO"
    assert git(bare, "rev-parse", f"{head}~1") == new

    pull = (await services.pulls.get(access, 1)).found.pull
    assert (pull.head_ref, pull.draft) == (head, False)
    (changed,) = await services.pulls.files(access, 1)
    assert changed.filename == "loud.txt"
    await services.pulls.merge(alice, access, 1, MergeRequest())
    assert git(bare, "show", "main:loud.txt") == "HELLO"
    assert git(bare, "show", "main:new.txt") == "since"
    told = [one for one in data.rglob("*") if one.is_file() and b"se:cret" in one.read_bytes()]
    assert told == []


async def test_a_merge_that_the_home_refuses_moves_nothing(
    world: World, server: GitServer, tmp_path: Path
) -> None:
    services, alice = world.parts.services, await world.principal("alice")
    access = await world.access("alice")
    await pushed(server, tmp_path / "clone", "idea.txt", "idea")
    await services.pulls.open(alice, access, NewPull("Idea", "", "idea", "main", draft=False))
    server.repository.protected = ("main",)
    before = git(server.repository.bare, "rev-parse", "main")
    with pytest.raises(AppError, match="does not take the merge"):
        await services.pulls.merge(alice, access, 1, MergeRequest())
    for place in (server.repository.bare, world.parts.embedded.path(world.repository.id)):
        assert git(place, "rev-parse", "main") == before


@pytest.mark.parametrize("way", ["a merge", "fast-forward", "deleted"])
async def test_a_merge_at_the_home_is_noticed_when_it_is_fetched(
    world: World, server: GitServer, tmp_path: Path, way: str
) -> None:
    services, alice = world.parts.services, await world.principal("alice")
    access, forge = await world.access("alice"), world.parts.embedded
    head = await pushed(server, tmp_path / "clone", "idea.txt", "idea")
    git(tmp_path / "clone", "push", "-q", "origin", "origin/main:refs/heads/level")
    for ref in ("idea", "level"):
        await services.pulls.open(alice, access, NewPull("Idea", "", ref, "main", draft=False))
    clone, merge = tmp_path / "clone", head
    if way == "a merge":
        git(clone, "checkout", "-q", "--detach", "origin/main")
        git(clone, "merge", "-q", "--no-ff", "-m", "Merge it", head)
        merge = git(clone, "rev-parse", "HEAD")
    git(clone, "push", "-q", "origin", f"{merge}:main")
    if way == "deleted":
        git(clone, "push", "-q", "origin", ":idea")
    assert (await services.pulls.get(access, 1)).found.pull.state is PullState.OPEN
    assert await forge.find_tip(alice.actor, world.repository, "main") == merge
    found = await services.pulls.get(access, 1)
    assert found.found.pull.state is PullState.MERGED
    assert found.found.pull.end is not None
    assert found.found.pull.end.merge_sha == merge
    assert (found.commits, found.changed_files, found.found.merged_by) == (1, 1, None)
    level = (await services.pulls.get(access, 2)).found.pull
    assert level.state is PullState.OPEN, "there was nothing to merge"


async def test_what_is_only_begun_to_be_merged_at_the_home_stays_open(
    world: World, server: GitServer, tmp_path: Path
) -> None:
    services, alice = world.parts.services, await world.principal("alice")
    access, forge = await world.access("alice"), world.parts.embedded
    first, clone = await pushed(server, tmp_path / "clone", "idea.txt", "idea"), tmp_path / "clone"
    await services.pulls.open(alice, access, NewPull("Idea", "", "idea", "main", draft=False))
    commit(clone, "more.txt", "more\n", "More")
    git(clone, "push", "-q", "origin", "HEAD:idea", f"{first}:main")
    await forge.find_tip(alice.actor, world.repository, "main")
    assert (await services.pulls.get(access, 1)).found.pull.state is PullState.OPEN
    git(clone, "push", "-q", "--force", "origin", f"{first}:idea")
    await forge.find_tip(alice.actor, world.repository, "main")
    found = (await services.pulls.get(access, 1)).found.pull
    assert found.state is PullState.OPEN, "its branch was moved back, and nothing merged"


async def test_who_pushes_to_the_copy_is_told_where_to(world: World, server: GitServer) -> None:
    transport = httpx.ASGITransport(app.asgi_app(world.parts, asyncio.Event()))
    async with httpx.AsyncClient(transport=transport, base_url="http://here.test") as http:
        path = f"/{NAME}.git/info/refs?service=git-receive-pack"
        refused = await http.get(path, auth=("x", world.tokens["alice"]))
    assert refused.status_code == 403
    assert f"{NAME} has its home at {server.url}/team/app.git: push there." in refused.text


async def test_a_home_that_does_not_let_in_is_not_added(world: World, server: GitServer) -> None:
    url, root = f"{server.url}/team/app.git", world.parts.embedded.path(0).parent
    stranger = EmbeddedForge(MemoryRecords(), root)
    administration = Administration(world.parts.database, stranger, tokens)
    with pytest.raises(AppError, match="asks for a credential"):
        await administration.add_repository("alice/other", url, upstream=True)
    told, asked = url.replace("://", "://robot:se%3Acret%2C%3D1@"), len(server.seen)
    with pytest.raises(AppError, match=r"set it in git\.credentials") as caught:
        await world.administration.add_repository("alice/other", told, upstream=True)
    assert (caught.value.code, len(server.seen)) == (Code.INVALID, asked), "it is not tried"
    assert [one.name for one in await world.administration.list_repositories()] == ["app"]
    assert [path.name for path in root.iterdir()] == [f"{world.repository.id}.git"]


class AtAPath:
    def __init__(self, directory: Path) -> None:
        records = MemoryRecords()
        records.add_account("alice")
        self.alice = Actor(records.accounts["alice"])
        self.app: Repository = records.add_repository(self.alice.account, "app")
        self.forge = EmbeddedForge(records, directory / "repositories")
        self.home = repository(directory / "home")


@pytest.fixture
async def at_a_path(tmp_path: Path) -> AtAPath:
    made = AtAPath(tmp_path)
    await made.forge.import_repository(made.app.id, str(made.home), upstream=True)
    return made


async def test_a_path_is_followed(at_a_path: AtAPath) -> None:
    forge, alice, there = at_a_path.forge, at_a_path.alice, at_a_path.app
    new = commit(at_a_path.home, "more.txt", "1\n")
    assert await forge.find_tip(alice, there, "main") == new
    remote = await forge.remote(alice, there)
    assert (remote.url, remote.writable) == (str(at_a_path.home), True)
    assert remotes.protocol(remote) == "file"
    git(at_a_path.home, "branch", "-D", "topic")
    assert await forge.find_tip(alice, there, "topic") is None


async def test_pull_requests_that_nothing_has_moved_cost_no_git(
    at_a_path: AtAPath, monkeypatch: pytest.MonkeyPatch
) -> None:
    forge, alice, there = at_a_path.forge, at_a_path.alice, at_a_path.app
    commit(at_a_path.home, "idea.txt", "1\n")
    ran: list[str] = []
    run = journeyman.git.run

    async def counted(*arguments: str, **options: Any) -> bytes:
        ran.append(arguments[0])
        return await run(*arguments, **options)

    monkeypatch.setattr(journeyman.git, "run", counted)
    counts = []
    for number in range(3):
        git(at_a_path.home, "branch", f"idea{number}", "main")
        new = NewPull("Idea", "", f"idea{number}", "topic", draft=False)
        await forge.open_pull(alice, there, new)
        ran.clear()
        await forge.find_tip(alice, there, "main")
        counts.append(len(ran))
    assert "for-each-ref" in ran, "it looks"
    assert len(set(counts)) == 1, counts
    git(at_a_path.home, "branch", "-D", "idea2")
    ran.clear()
    await forge.find_tip(alice, there, "main")
    assert len(ran) == counts[0], "a branch that is gone, and nothing else"


async def test_a_home_that_is_away_is_named(at_a_path: AtAPath) -> None:
    home = at_a_path.home
    home.rename(home.with_name("elsewhere"))
    with pytest.raises(ForgeError, match=f"alice/app cannot be fetched from {home}"):
        await at_a_path.forge.find_tip(at_a_path.alice, at_a_path.app, "main")

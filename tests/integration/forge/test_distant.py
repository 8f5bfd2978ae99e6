"""A worker on another machine: it has the records, and git only over HTTP."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Account, Permission, PullState, Repository
from journeyman.forge import ForgeError, NewPull, PushRejected, Remote
from journeyman.forge.embedded import passes
from journeyman.forge.embedded.distant import DistantForge
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.forwarding import HOOK, forwarding
from journeyman.forge.embedded.git_http import GitHttp
from journeyman.forge.embedded.passes import Pass
from journeyman.forge.embedded.upstreams import Credentials
from journeyman.git import GitError, environment
from journeyman.git.faults import Fault as GitFault
from journeyman.git.faults import fault_of
from journeyman.workspace.bundles import REF
from journeyman.workspace.mirror import Mirrors
from journeyman.workspace.publish import Publisher, Work
from tests.conftest import Clock
from tests.contract.records import MemoryRecords
from tests.integration.forge.client import client, commit, git, repository
from tests.integration.forge.test_git_http import becomes, listening
from tests.peers.faulty import Fault
from tests.peers.git_server import PAIR, GitServer, serving


@dataclass
class Machines:
    """Alice owns `app` and `other`, Bob may read `app`; the repositories are on the *server*."""

    server: EmbeddedForge
    worker: DistantForge
    records: MemoryRecords
    alice: Account
    bob: Account
    app: Repository
    other: Repository
    source: Path
    url: str
    clock: Clock

    async def remote(self, account: Account | None = None) -> Remote:
        return await self.worker.remote(Actor(account or self.alice), self.app)

    async def secret(self, given: Pass) -> str:
        return passes.sign(await self.records.signing_key(), given)

    async def asked(self, secret: str, name: str = "alice/app", service: str = "upload") -> int:
        address = f"{self.url}/{name}.git/info/refs?service=git-{service}-pack"
        async with httpx.AsyncClient() as http:
            return (await http.get(address, auth=("x-access-token", secret))).status_code


@pytest.fixture
async def machines(tmp_path: Path, clock: Clock) -> AsyncIterator[Machines]:
    records = MemoryRecords()
    alice, bob = records.add_account("alice"), records.add_account("bob")
    app, other = (records.add_repository(alice, name) for name in ("app", "other"))
    records.collaborators[bob.id, app.id] = Permission.READ
    server = EmbeddedForge(records, tmp_path / "server", clock=clock)
    source = repository(tmp_path / "source")
    for each in (app, other):
        await server.import_repository(each.id, str(source))
    async with listening(GitHttp(server)) as port:
        url = f"http://127.0.0.1:{port}"
        worker = DistantForge(records, tmp_path / "nothing", url + "/", clock=clock)
        yield Machines(server, worker, records, alice, bob, app, other, source, url, clock)


@pytest.fixture
def good(machines: Machines) -> Pass:
    until = machines.clock() + timedelta(minutes=1)
    return Pass(machines.alice.id, machines.app.id, writable=True, expires_at=until)


async def test_a_mirror_is_fetched_and_work_is_pushed(machines: Machines, tmp_path: Path) -> None:
    remote = await machines.remote()
    mirror = await Mirrors(tmp_path / "mirrors").refresh(machines.app.id, remote)
    base = git(mirror, "rev-parse", "main")
    made = commit(machines.source, "new.txt", "new\n")
    git(machines.source, "update-ref", REF, made)
    git(machines.source, "bundle", "create", str(tmp_path / "bundle"), REF, f"^{base}")
    work = Work((tmp_path / "bundle").read_bytes(), mirror, base, made)
    publisher = Publisher(tmp_path / "publishing")
    await publisher.deliver(work, head_ref="agent/one", remote=remote, expected_old=None)
    alice = Actor(machines.alice)
    assert await machines.worker.find_tip(alice, machines.app, "agent/one") == made
    assert git(machines.server.path(machines.app.id), "rev-parse", "agent/one") == made
    assert machines.records.pushed == []
    with pytest.raises(PushRejected):
        await publisher.deliver(work, head_ref="main", remote=remote, expected_old=None)


async def test_what_a_worker_proposed_is_seen_as_merged_by_a_push(
    machines: Machines, good: Pass
) -> None:
    source, bare = machines.source, machines.server.path(machines.app.id)
    head = commit(source, "new.txt", "new\n")
    git(source, "push", "-q", str(bare), f"{head}:refs/heads/agent")
    new = NewPull("Title", "", "agent", "main", draft=False)
    await machines.worker.open_pull(Actor(machines.alice), machines.app, new)
    url = machines.url.replace("://", f"://x:{await machines.secret(good)}@")
    pushed = await client(source, "push", "-q", f"{url}/alice/app.git", f"{head}:main", ":agent")
    assert pushed.code == 0, pushed.output
    assert await becomes(lambda: machines.records.pulls[0].state is PullState.MERGED)


@dataclass
class Homed:
    """Alice's `homed`, whose home is on *home*: the *server* alone has the credential."""

    machines: Machines
    server: EmbeddedForge
    worker: DistantForge
    home: GitServer
    repository: Repository

    async def push(self, directory: Path, head_ref: str, expected_old: str | None) -> str:
        """A new commit of a worker's; gives its id."""
        alice = Actor(self.machines.alice)
        remote = await self.worker.remote(alice, self.repository)
        mirror = await Mirrors(directory / "mirrors").refresh(self.repository.id, remote)
        base, source = git(mirror, "rev-parse", "main"), self.machines.source
        made = commit(source, f"{head_ref}.txt", f"on {expected_old}\n")
        git(source, "update-ref", REF, made)
        git(source, "bundle", "create", str(directory / "bundle"), REF, f"^{base}")
        work = Work((directory / "bundle").read_bytes(), mirror, base, made)
        publisher = Publisher(directory / "publishing")
        return await publisher.deliver(
            work, head_ref=head_ref, remote=remote, expected_old=expected_old
        )


@pytest.fixture
async def homed(machines: Machines, tmp_path: Path) -> AsyncIterator[Homed]:
    records, made = machines.records, machines.records.add_repository(machines.alice, "homed")
    async with serving(tmp_path / "home", machines.source) as home:
        credentials = Credentials({home.host: PAIR})
        server = EmbeddedForge(records, tmp_path / "server", credentials=credentials)
        await server.import_repository(made.id, f"{home.url}/team/app.git", upstream=True)
        async with listening(GitHttp(server)) as port:
            worker = DistantForge(records, tmp_path / "nothing", f"http://127.0.0.1:{port}")
            yield Homed(machines, server, worker, home, made)


async def test_work_reaches_a_home_elsewhere_by_way_of_the_server(
    homed: Homed, tmp_path: Path
) -> None:
    made = await homed.push(tmp_path, "agent", None)
    copy = homed.server.path(homed.repository.id)
    for place in (homed.home.repository.bare, copy):
        assert git(place, "rev-parse", "refs/heads/agent") == made
    again = await homed.push(tmp_path, "agent", made)
    assert git(homed.home.repository.bare, "rev-parse", "agent") == again
    leaked = [one for one in copy.rglob("*") if one.is_file() and b"se:cret" in one.read_bytes()]
    assert leaked == []


async def test_what_a_worker_proposed_is_seen_as_merged_at_the_home(
    homed: Homed, tmp_path: Path
) -> None:
    made, alice = await homed.push(tmp_path, "agent", None), Actor(homed.machines.alice)
    new = NewPull("Title", "", "agent", "main", draft=False)
    await homed.worker.open_pull(alice, homed.repository, new)
    git(homed.home.repository.bare, "update-ref", "refs/heads/main", made)
    assert await homed.server.find_tip(alice, homed.repository, "main") == made
    assert homed.machines.records.pulls[0].state is PullState.MERGED


async def test_what_the_home_refuses_is_told_in_its_words_and_is_nowhere(
    homed: Homed, tmp_path: Path
) -> None:
    homed.home.repository.protected = ("agent",)
    with pytest.raises(PushRejected, match="GH006: Protected branch update failed") as caught:
        await homed.push(tmp_path, "agent", None)
    assert caught.value.permanent
    assert "se:cret" not in str(caught.value)
    alice = Actor(homed.machines.alice)
    assert await homed.worker.find_tip(alice, homed.repository, "agent") is None


async def test_work_reaches_a_home_at_a_path(homed: Homed, tmp_path: Path) -> None:
    home, copy = repository(tmp_path / "at-a-path"), homed.server.path(homed.repository.id)
    await homed.server.upstreams.set(homed.repository.id, str(home))
    homed.machines.source = home
    made = await homed.push(tmp_path, "agent", None)
    for place in (home, copy):
        assert git(place, "rev-parse", "refs/heads/agent") == made


async def test_nothing_is_pushed_past_a_home_that_cannot_be_asked(
    homed: Homed, tmp_path: Path
) -> None:
    hook = homed.server.path(homed.repository.id) / "journeyman-hooks" / "pre-receive"
    hook.parent.mkdir()
    hook.write_text(HOOK)
    hook.chmod(0o600)  # git passes over it, as where the file system is mounted noexec
    with pytest.raises(ForgeError, match="without the option noexec") as caught:
        await homed.push(tmp_path, "agent", None)
    assert not caught.value.permanent
    alice = Actor(homed.machines.alice)
    assert await homed.worker.find_tip(alice, homed.repository, "agent") is None


@pytest.mark.parametrize(("status", "permanent"), [(503, False), (403, True)])
async def test_a_home_that_is_away_is_tried_again_and_one_that_does_not_let_in_is_not(
    homed: Homed, tmp_path: Path, status: int, permanent: bool
) -> None:
    homed.home.faults = [Fault("POST .*/git-receive-pack", status)]
    with pytest.raises(ForgeError) as caught:
        await homed.push(tmp_path, "agent", None)
    assert caught.value.permanent is permanent, caught.value


def test_digits_in_an_address_are_no_refusal(tmp_path: Path) -> None:
    source = repository(tmp_path / "source")
    to = forwarding(tmp_path, Remote("http://127.0.0.1:1/issue-403.git", writable=True))
    tip = git(source, "rev-parse", "main")
    ended = subprocess.run(
        [to.hooks / "pre-receive"],
        input=f"{'0' * 40} {tip} refs/heads/agent\n",
        cwd=source,
        env=environment(to.protocols, to.env),
        capture_output=True,
        text=True,
    )
    assert "issue-403.git/': Failed to connect" in ended.stderr
    assert fault_of(GitError("", output=ended.stderr)) is GitFault.BUSY
    assert ended.returncode == 1


async def test_a_worker_sees_what_the_home_has_and_why_it_cannot(homed: Homed) -> None:
    alice, worker = Actor(homed.machines.alice), homed.worker
    git(homed.home.repository.bare, "update-ref", "refs/heads/since", "main")
    tip = git(homed.home.repository.bare, "rev-parse", "main")
    assert await worker.find_tip(alice, homed.repository, "since") == tip
    homed.home.faults = [Fault("info/refs", 503)]
    with pytest.raises(ForgeError) as caught:
        await worker.find_tip(alice, homed.repository, "since")
    assert not caught.value.permanent
    homed.home.faults = [Fault("info/refs", 403)]
    with pytest.raises(ForgeError) as caught:
        await worker.find_tip(alice, homed.repository, "since")
    assert caught.value.permanent


async def test_tips_are_those_of_the_server(machines: Machines) -> None:
    alice, bare = Actor(machines.alice), machines.server.path(machines.app.id)
    git(bare, "update-ref", "refs/heads/refs/heads/main", "topic")
    for branch in ("main", "topic", "refs/heads/main"):
        told = await machines.worker.find_tip(alice, machines.app, branch)
        assert told == git(bare, "rev-parse", f"refs/heads/{branch}")
    for branch in ("none", "mai", "..", "-q", "*"):
        assert await machines.worker.find_tip(alice, machines.app, branch) is None


async def test_who_may_only_read_gets_a_remote_that_cannot_be_written(machines: Machines) -> None:
    remote = await machines.remote(machines.bob)
    assert not remote.writable
    assert (await machines.remote()).writable
    with pytest.raises(AppError) as refused:
        await machines.worker.remote(Actor(machines.bob), machines.other)
    assert refused.value.code is Code.NOT_FOUND


async def test_a_pass_opens_one_repository_for_what_it_says(machines: Machines, good: Pass) -> None:
    secret = await machines.secret(good)
    assert await machines.asked(secret) == 200
    assert await machines.asked(secret, service="receive") == 200
    assert await machines.asked(secret, "alice/other") == 404
    reading = await machines.secret(replace(good, writable=False))
    assert await machines.asked(reading) == 200
    assert await machines.asked(reading, service="receive") == 403
    bobs = await machines.secret(replace(good, account_id=machines.bob.id))
    assert await machines.asked(bobs) == 200
    assert await machines.asked(bobs, service="receive") == 403


async def test_a_pass_that_was_changed_or_has_expired_opens_nothing(
    machines: Machines, good: Pass
) -> None:
    secret = await machines.secret(good)
    assert await machines.asked(secret.replace(".101.", ".102."), "alice/other") == 401
    assert await machines.asked(passes.sign(b"another key", good)) == 401
    assert await machines.asked(await machines.secret(replace(good, account_id=99))) == 401
    assert await machines.asked(f"{secret}0") == 401
    machines.clock.advance(61)
    assert await machines.asked(secret) == 401


async def test_a_pass_of_a_suspended_user_opens_nothing(machines: Machines, good: Pass) -> None:
    secret = await machines.secret(good)
    machines.records.accounts["alice"] = replace(machines.alice, suspended_at=machines.clock())
    assert await machines.asked(secret) == 403


async def test_the_api_refuses_a_pass(machines: Machines, good: Pass) -> None:
    with pytest.raises(AppError) as refused:
        await machines.server.identify(await machines.secret(good))
    assert refused.value.code is Code.FORBIDDEN


async def test_a_pass_is_used_again_while_there_is_time(machines: Machines) -> None:
    first = await machines.remote()
    assert await machines.remote() == first
    machines.clock.advance(3601)
    assert (await machines.remote()).env != first.env
    assert "ghs_" not in repr(first)


async def test_a_server_that_is_away_is_named(machines: Machines, tmp_path: Path) -> None:
    lost = DistantForge(machines.records, tmp_path, "http://127.0.0.1:1", clock=machines.clock)
    with pytest.raises(ForgeError, match=r"alice/app cannot be read from http://127\.0\.0\.1:1"):
        await lost.find_tip(Actor(machines.alice), machines.app, "main")
    missing = replace(machines.app, name="missing")
    with pytest.raises(ForgeError) as gone:
        await machines.worker.find_tip(Actor(machines.alice), missing, "main")
    assert gone.value.permanent

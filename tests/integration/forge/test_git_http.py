"""Git over HTTP with git's own client against a real socket."""

import asyncio
import base64
import gzip
import os
import socket
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import uvicorn

from journeyman.domain.principals import Actor
from journeyman.domain.pushes import Update
from journeyman.domain.repositories import Account, Permission, PullState, Repository
from journeyman.forge import NewPull
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.git_http import GitHttp, Options
from tests.contract.records import MemoryRecords
from tests.integration.forge.client import client, commit, git, repository

ADVERTISEMENT = "info/refs?service=git-upload-pack"


@dataclass
class Served:
    """Alice owns the private `app` and the public `open`; Bob may read `app`."""

    port: int
    forge: EmbeddedForge
    records: MemoryRecords
    alice: Account
    bob: Account
    app: Repository
    open: Repository
    where: Path

    def url(self, token: str | None = None, name: str = "alice/app.git", user: str = "x") -> str:
        credential = f"{user}:{token}@" if token else ""
        return f"http://{credential}127.0.0.1:{self.port}/{name}"

    def token(self, account: Account) -> str:
        return self.records.add_token(account)

    async def clone(self, url: str, name: str, *options: str) -> Path:
        ended = await client(self.where, "clone", "-q", *options, url, name)
        assert ended.code == 0, ended.output
        return self.where / name


async def becomes(true: Callable[[], bool], seconds: float = 5) -> bool:
    for _ in range(int(seconds / 0.02)):
        if true():
            return True
        await asyncio.sleep(0.02)
    return False


@asynccontextmanager
async def listening(application: GitHttp) -> AsyncIterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(application, lifespan="off", log_level="error")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    assert await becomes(lambda: server.started)
    yield listener.getsockname()[1]
    server.should_exit = True
    await serving


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    records = MemoryRecords()
    alice, bob = records.add_account("alice"), records.add_account("bob")
    app, public = records.add_repository(alice, "app"), records.add_repository(alice, "open")
    public = records.repositories[1] = Repository(
        public.id, alice, "open", "main", False, False, public.created_at, public.updated_at
    )
    records.collaborators[bob.id, app.id] = Permission.READ
    forge = EmbeddedForge(records, tmp_path / "repositories")
    source = repository(tmp_path / "source")
    for each in (app, public):
        await forge.import_repository(each.id, str(source))
    (tmp_path / "users").mkdir()
    async with listening(GitHttp(forge, Options(max_push_bytes=4 << 20))) as port:
        yield Served(port, forge, records, alice, bob, app, public, tmp_path / "users")


@pytest.mark.parametrize("version", ["0", "1", "2"])
@pytest.mark.parametrize("name", ["alice/app.git", "ALICE/App"])
async def test_a_clone_has_everything_in_every_protocol_version(
    served: Served, version: str, name: str
) -> None:
    url = served.url(served.token(served.alice), name)
    copy = await served.clone(url, "copy", "-c", f"protocol.version={version}")
    assert git(copy, "rev-parse", "HEAD", "origin/topic", "v1") == git(
        served.forge.path(served.app.id), "rev-parse", "main", "topic", "v1"
    )


async def test_version_2_is_spoken_to_those_who_ask(served: Served) -> None:
    address = f"{served.url(name='alice/open')}/{ADVERTISEMENT}"
    async with httpx.AsyncClient() as http:
        plain = await http.get(address)
        second = await http.get(address, headers={"git-protocol": "version=2"})
    assert plain.content.startswith(b"001e# service=git-upload-pack\n0000")
    assert second.content.startswith(b"000eversion 2\n")
    assert second.headers["content-type"] == "application/x-git-upload-pack-advertisement"
    assert "no-cache" in second.headers["cache-control"]


async def test_shallow_and_partial_clones_work(served: Served) -> None:
    url = served.url(served.token(served.alice))
    shallow = await served.clone(url, "shallow", "--depth=1")
    assert git(shallow, "rev-list", "--count", "HEAD") == "1"
    partial = await served.clone(url, "partial", "--filter=blob:none")
    assert (partial / "src/app.py").read_text() == "print('hello')\n"


async def test_a_push_arrives(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    pushed = commit(copy, "new.txt", "new\n")
    ended = await client(copy, "push", "-q", "origin", "HEAD:main", "HEAD:refs/heads/other")
    assert ended.code == 0, ended.output
    bare = served.forge.path(served.app.id)
    assert git(bare, "rev-parse", "main", "other") == f"{pushed}\n{pushed}"


async def test_what_a_push_changed_is_noted(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    before, topic = (git(copy, "rev-parse", name) for name in ("HEAD", "origin/topic"))
    pushed = commit(copy, "new.txt", "new\n")
    refs = ("HEAD:main", "HEAD:refs/heads/other", ":topic", f"{before}:refs/heads/main/below")
    ended = await client(copy, "push", "-q", "origin", *refs)
    assert "main/below" in ended.output
    wanted = {
        Update("refs/heads/main", before, pushed),
        Update("refs/heads/other", "0" * 40, pushed),
        Update("refs/heads/topic", topic, "0" * 40),
    }
    assert set(served.records.pushed) == {
        ("alice", served.app.id, "127.0.0.1", update) for update in wanted
    }


async def test_what_a_push_merges_is_merged(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    alice = Actor(served.alice)
    for branch in ("idea", "other"):
        git(copy, "checkout", "-q", "-b", branch, "origin/main")
        commit(copy, f"{branch}.txt", "new\n")
        assert (await client(copy, "push", "-q", "origin", branch)).code == 0
        new = NewPull("Title", "", branch, "main", draft=False)
        await served.forge.open_pull(alice, served.app, new)
    git(copy, "checkout", "-q", "main")
    git(copy, "merge", "-q", "--no-ff", "-m", "Merge it", "idea")
    assert (await client(copy, "push", "-q", "origin", "main", ":idea")).code == 0
    pulls = served.records.pulls
    assert await becomes(lambda: pulls[0].state is PullState.MERGED)
    assert pulls[0].end is not None
    assert pulls[0].end.merge_sha == git(copy, "rev-parse", "main")
    assert pulls[1].state is PullState.OPEN


async def test_a_push_in_chunks_arrives(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    (copy / "big").write_bytes(os.urandom(3 << 20))
    git(copy, "add", "big")
    git(copy, "commit", "-q", "-m", "Big")
    ended = await client(copy, "-c", "http.postBuffer=65536", "push", "-q", "origin", "HEAD:main")
    assert ended.code == 0, ended.output


async def test_a_push_over_the_limit_is_refused_with_the_reason(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    (copy / "big").write_bytes(os.urandom(5 << 20))
    git(copy, "add", "big")
    git(copy, "commit", "-q", "-m", "Too big")
    ended = await client(copy, "push", "origin", "HEAD:main")
    assert ended.code != 0
    assert "maximum allowed size" in ended.output or "RPC failed" in ended.output
    assert not list((served.forge.path(served.app.id) / "objects").glob("*incoming*"))


async def test_only_branches_and_tags_may_be_pushed(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    assert (await client(copy, "push", "origin", "HEAD:refs/tags/v2")).code == 0
    for ref in ("refs/pull/1/head", "refs/notes/x", "refs/journeyman/x"):
        ended = await client(copy, "push", "origin", f"HEAD:{ref}")
        assert ended.code == 1
        assert "hidden ref" in ended.output


async def test_hooks_of_a_repository_never_run(served: Served, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    hooks = served.forge.path(served.app.id) / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-receive", "update", "post-receive", "post-update", "reference-transaction"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {marker}\n")
        (hooks / name).chmod(0o755)
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    commit(copy, "new.txt", "new\n")
    assert (await client(copy, "push", "-q", "origin", "HEAD:main")).code == 0
    assert not marker.exists()


async def test_a_reader_fetches_and_may_not_push(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.bob)), "copy")
    commit(copy, "new.txt", "new\n")
    ended = await client(copy, "push", "origin", "HEAD:main")
    assert ended.code != 0
    assert "Permission to alice/app denied to bob." in ended.output


async def test_a_public_repository_is_read_without_a_token_and_not_written(served: Served) -> None:
    copy = await served.clone(served.url(name="alice/open"), "copy")
    commit(copy, "new.txt", "new\n")
    ended = await client(copy, "push", "origin", "HEAD:main")
    assert ended.code != 0
    assert "could not read Username" in ended.output
    bobs = await client(copy, "push", served.url(served.token(served.bob), "alice/open"), "main")
    assert "denied to bob" in bobs.output


async def test_an_archived_repository_is_read_only(served: Served) -> None:
    attic = served.records.add_repository(served.alice, "attic", archived=True)
    await served.forge.import_repository(attic.id, str(served.forge.path(served.app.id)))
    url = served.url(served.token(served.alice), "alice/attic")
    copy = await served.clone(url, "copy")
    assert "archived" in (await client(copy, "push", "origin", "HEAD:refs/heads/x")).output


async def test_who_may_not_see_a_repository_cannot_tell_that_it_is_there(served: Served) -> None:
    mallory = served.token(served.records.add_account("mallory"))
    for token, status in ((None, 401), ("ghp_wrong", 401), (mallory, 404)):
        answers = []
        for name in ("alice/app", "alice/missing"):
            headers = {"authorization": f"Bearer {token}"} if token else {}
            async with httpx.AsyncClient(headers=headers) as http:
                answers.append(await http.get(f"{served.url(name=name)}/{ADVERTISEMENT}"))
        assert [answer.status_code for answer in answers] == [status, status]
        assert answers[0].text == answers[1].text
        assert ("www-authenticate" in answers[0].headers) is (status == 401)


async def test_every_way_to_carry_a_token_is_taken(served: Served) -> None:
    token = served.token(served.alice)

    def basic(pair: str) -> str:
        return "Basic " + base64.b64encode(pair.encode()).decode()

    headers = {
        f"Bearer {token}": 200,
        f"token {token}": 200,
        basic(f"x-access-token:{token}"): 200,
        basic(f"{token}:"): 200,
        basic(f"{token}:x-oauth-basic"): 200,
        basic("alice:password"): 401,
        "Basic !!!": 401,
        "Basic /w==": 401,
        "Digest x": 401,
        f"Bearer {served.records.add_token(served.alice, 'ghs_')}": 403,
    }
    async with httpx.AsyncClient() as http:
        for header, status in headers.items():
            answer = await http.get(
                f"{served.url()}/{ADVERTISEMENT}", headers={"authorization": header}
            )
            assert answer.status_code == status, header[:12]


async def test_a_gzipped_request_is_understood(served: Served) -> None:
    tip = git(served.forge.path(served.open.id), "rev-parse", "main")
    lines = [f"want {tip}\n", "", "done\n"]
    body = "".join(f"{len(line) + 4:04x}{line}" if line else "0000" for line in lines).encode()
    headers = {
        "content-type": "application/x-git-upload-pack-request",
        "content-encoding": "gzip",
    }
    async with httpx.AsyncClient() as http:
        address = f"{served.url(name='alice/open')}/git-upload-pack"
        good = await http.post(address, content=gzip.compress(body), headers=headers)
    assert good.status_code == 200
    assert good.content.startswith(b"0008NAK\nPACK")


async def test_a_fetch_with_many_local_commits_is_gzipped_by_git_and_works(served: Served) -> None:
    copy = await served.clone(served.url(served.token(served.alice)), "copy")
    stream = "".join(
        f"commit refs/heads/mine\ncommitter A <a@example.com> {1000 + n} +0000\ndata 1\nx\n"
        for n in range(300)
    )
    git(copy, "fast-import", "--quiet", stdin=stream)
    author = await served.clone(served.url(served.token(served.alice)), "author")
    commit(author, "new.txt", "new\n")
    assert (await client(author, "push", "-q", "origin", "HEAD:main")).code == 0
    ended = await client(copy, "fetch", "-q", "origin")
    assert ended.code == 0, ended.output


async def test_what_is_no_git_request_is_refused(served: Served) -> None:
    application = GitHttp(served.forge)
    assert application.matches("/alice/app.git/info/refs")
    assert application.matches("/alice/app/git-upload-pack")
    for path in ("/alice/app", "/a/b/c/info/refs", "/a/../info/refs/x", "/alice/app.git/HEAD"):
        assert not application.matches(path)
    base = served.url(name="alice/open")
    async with httpx.AsyncClient() as http:
        assert (await http.get(f"{base}/info/refs")).status_code == 400
        assert (await http.get(f"{base}/info/refs?service=git-shell")).status_code == 400
        assert (await http.get(f"{base}/git-upload-pack")).status_code == 400
        assert (await http.post(f"{base}/git-upload-pack", content=b"x")).status_code == 400
        assert (await http.get(f"{base}/HEAD")).status_code == 404


async def test_broken_git_data_is_an_error_that_leads_to_the_log(served: Served) -> None:
    (served.forge.path(served.open.id) / "HEAD").unlink()
    async with httpx.AsyncClient() as http:
        answer = await http.get(f"{served.url(name='alice/open')}/{ADVERTISEMENT}")
    assert answer.status_code == 500
    assert "cannot be read" in answer.text


async def test_of_pushes_at_once_to_one_branch_one_wins_and_to_many_all(served: Served) -> None:
    url = served.url(served.token(served.alice))
    copies = [await served.clone(url, f"copy{n}") for n in range(4)]
    for number, copy in enumerate(copies):
        commit(copy, f"{number}.txt", "new\n")
    own = [client(c, "push", "-q", "origin", f"HEAD:own-{n}") for n, c in enumerate(copies)]
    assert [ended.code for ended in await asyncio.gather(*own)] == [0] * 4
    same = [client(copy, "push", "-q", "origin", "HEAD:main") for copy in copies]
    assert sorted(ended.code for ended in await asyncio.gather(*same)) == [0, 1, 1, 1]
    git(served.forge.path(served.app.id), "fsck", "--connectivity-only")


def children() -> list[str]:
    """The commands of this process's living children."""
    found = subprocess.run(
        ["ps", "-ww", "--no-headers", "-o", "args", "--ppid", str(os.getpid())],
        capture_output=True,
        text=True,
        check=True,
    )
    return [line for line in found.stdout.splitlines() if "-pack" in line]


async def test_a_push_whose_client_leaves_in_its_middle_never_reaches_git(served: Served) -> None:
    token = base64.b64encode(f"x:{served.token(served.alice)}".encode())
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(
        b"POST /alice/app/git-receive-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic "
        + token
        + b"\r\nContent-Type: application/x-git-receive-pack-request\r\n"
        b"Content-Length: 100000\r\n\r\n0014"
    )
    await writer.drain()
    assert not await becomes(lambda: bool(children()), 0.3)
    writer.close()
    await writer.wait_closed()
    assert not await becomes(lambda: bool(children()), 0.3)


def memory_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


async def test_a_client_that_does_not_read_costs_no_memory_and_git_ends_with_it(
    served: Served, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    (source / "big").write_bytes(os.urandom(40 << 20))
    git(source, "-c", "core.bigFileThreshold=1m", "add", "big")
    git(source, "commit", "-q", "-m", "Big")
    big = served.records.add_repository(served.alice, "big")
    await served.forge.import_repository(big.id, str(source))
    tip = git(source, "rev-parse", "HEAD")
    body = f"0032want {tip}\n00000009done\n".encode()
    token = base64.b64encode(f"x:{served.token(served.alice)}".encode())
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1 << 10)
    before = memory_mib()
    writer.write(
        b"POST /alice/big/git-upload-pack HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " + token
        + b"\r\nContent-Type: application/x-git-upload-pack-request\r\nContent-Length: "
        + f"{len(body)}\r\n\r\n".encode() + body
    )  # fmt: skip
    assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await asyncio.sleep(1)
    assert children()
    assert memory_mib() - before < 10
    writer.close()
    assert await becomes(lambda: not children())

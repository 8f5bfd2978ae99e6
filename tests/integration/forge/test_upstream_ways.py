"""The ways to a repository's home on another git server: ssh, a company's own certificates, a
proxy."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from journeyman import git as host_git
from journeyman.config import load
from journeyman.domain.errors import AppError
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge.embedded.forge import EmbeddedForge
from journeyman.forge.embedded.upstreams import Credentials
from journeyman.workspace import remotes
from tests.contract.records import MemoryRecords
from tests.integration.forge.client import commit, git, repository
from tests.peers import git_server, ssh_server, tls
from tests.peers.authority import Authority
from tests.peers.git_server import PAIR, GitServer


class Here:
    """A forge whose repository `alice/app` has its home elsewhere."""

    def __init__(self, directory: Path, credentials: Credentials) -> None:
        records = MemoryRecords()
        records.add_account("alice")
        self.alice = Actor(records.accounts["alice"])
        self.app: Repository = records.add_repository(self.alice.account, "app")
        self.forge = EmbeddedForge(records, directory / "repositories", credentials=credentials)

    async def adopt(self, url: str) -> None:
        await self.forge.import_repository(self.app.id, url, upstream=True)

    async def tip(self, branch: str = "main") -> str | None:
        return await self.forge.find_tip(self.alice, self.app, branch)

    async def push(self, work: Path, sha: str, branch: str) -> None:
        """As a task's work is."""
        remote = await self.forge.remote(self.alice, self.app)
        await host_git.run(
            *("push", "-q", "--", remote.url, f"{sha}:refs/heads/{branch}"),
            git_dir=work / ".git",
            protocols=remotes.protocol(remote),
            env=remote.env,
        )


@pytest.mark.ssh
async def test_ssh_with_a_key_to_a_known_host(tmp_path: Path) -> None:
    home = repository(tmp_path / "home")
    async with ssh_server.serving(tmp_path / "of ssh") as ssh:
        url, key, hosts = ssh.url(home), str(ssh.key), str(ssh.known_hosts)
        here = Here(tmp_path, Credentials(ssh_key_file=key, ssh_known_hosts_file=hosts))
        await here.adopt(url)
        new = commit(home, "more.txt", "1\n")
        assert await here.tip() == new
        await here.push(home, new, "pushed")
        assert git(home, "rev-parse", "pushed") == new

        for credentials, said in (
            (Credentials(ssh_key_file=key), "Host key verification failed"),
            (
                Credentials(ssh_key_file=str(ssh.directory / "host"), ssh_known_hosts_file=hosts),
                "asks for a credential",
            ),
        ):
            with pytest.raises(AppError, match=said):
                await Here(tmp_path / "other", credentials).adopt(url)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[GitServer]:
    source = repository(tmp_path / "source")
    async with git_server.serving(tmp_path / "server", source) as made:
        yield made


async def test_certificates_of_a_company_s_own(server: GitServer, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with tls.before(server.url, authority.server("127.0.0.1")) as url:
        address, host = f"{url}/team/app.git", url.partition("://")[2]
        ca_file = str(authority.file)
        for ca_files in ({}, {"git.other.test": ca_file}):
            stranger = Here(tmp_path / "stranger", Credentials({host: PAIR}, ca_files))
            with pytest.raises(AppError, match=r"(?i)certificate"):
                await stranger.adopt(address)
        assert server.seen == []
        here = Here(tmp_path, Credentials({host: PAIR}, {host: ca_file}))
        await here.adopt(address)
        new = commit(tmp_path / "source", "more.txt", "1\n")
        await here.push(tmp_path / "source", new, "main")
        assert await here.tip() == new


async def test_a_proxy_of_the_service_s_environment(server: GitServer, tmp_path: Path) -> None:
    """The server itself plays the proxy: it is asked for the host that nobody can find."""
    home, host = "http://git.nowhere.test/team/app.git", "git.nowhere.test"
    for environ, reached in (
        ({"HTTP_PROXY": server.url}, True),
        ({"http_proxy": server.url, "NO_PROXY": ".nowhere.test"}, False),
        ({}, False),
    ):
        proxies = load(flags={"data": str(tmp_path)}, environ=environ).proxies
        directory = tmp_path / str(len(environ))
        here = Here(directory, Credentials({host: PAIR}, proxies=proxies))
        if reached:
            await here.adopt(home)
            assert await here.tip() == git(server.repository.bare, "rev-parse", "main")
        else:
            with pytest.raises(AppError, match=re.escape(f"'{home}' cannot be read")):
                await here.adopt(home)

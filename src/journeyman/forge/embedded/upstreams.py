"""Repositories whose home is elsewhere, where git alone reaches them: a path, or any git server.

The embedded forge keeps a copy for its pages, and fetches before it says what is in it; tasks
fetch from the home itself, and push there. The address is in the copy's own configuration, where
git keeps such things, and never holds a credential.
"""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from journeyman import git
from journeyman.domain.errors import invalid
from journeyman.domain.history import NotMergeable
from journeyman.domain.repositories import Repository
from journeyman.forge import ForgeError, ForgeRefused, Remote, credential
from journeyman.forge.credential import Way
from journeyman.git import GitError
from journeyman.git.addresses import protocol_of
from journeyman.git.faults import Fault, fault_of

KEY = "journeyman.upstream"
FETCH_SECONDS = 600
FETCH = ("fetch", "--quiet", "--prune", "--no-tags", "--no-write-fetch-head", "--no-auto-gc", "--")
REFSPECS = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
LASTING = (Fault.DENIED, Fault.NOT_FOUND)


@dataclass(frozen=True)
class Credentials:
    """The operator's, for the servers that repositories are at."""

    by_host: Mapping[str, str] = field(default_factory=dict, repr=False)
    """`USER:PASSWORD`, by host or host:port, for http and https."""
    ca_files: Mapping[str, str] = field(default_factory=dict)
    """Certificates to trust instead of the system's, likewise."""
    proxies: Mapping[str, str] = field(default_factory=dict, repr=False)
    ssh_key_file: str = ""
    """Empty: the keys that ssh takes by itself."""
    ssh_known_hosts_file: str = ""
    """Empty: the hosts that ssh knows by itself."""

    def environment(self, address: str) -> Mapping[str, str]:
        """What lets git in at *address*, for one command; nothing for what is no address. A
        credential in the address itself comes first."""
        try:
            parts = urlsplit(address)
            scheme, host = parts.scheme.lower(), parts.netloc.rpartition("@")[2]
        except ValueError:
            return {}
        if scheme in ("http", "https"):
            user, _, password = self.by_host.get(host, "").partition(":")
            if parts.username:
                user, password = unquote(parts.username), unquote(parts.password or "")
            way = Way(self.ca_files.get(host, ""), self.proxies)
            return credential.for_git(password, f"{scheme}://{host}", user=user, way=way)
        return self._for_ssh() if protocol_of(address) == "ssh" else {}

    def _for_ssh(self) -> Mapping[str, str]:
        options = ["-oBatchMode=yes"]
        if self.ssh_key_file:
            options += ["-oIdentitiesOnly=yes", "-i", self.ssh_key_file]
        if self.ssh_known_hosts_file:
            options.append(f'-oUserKnownHostsFile="{self.ssh_known_hosts_file}"')
        return {"GIT_SSH_COMMAND": shlex.join(["ssh", *options])}


class Upstreams:
    """*path*: where the copy of a repository is."""

    def __init__(self, path: Callable[[int], Path], credentials: Credentials | None = None) -> None:
        self._path = path
        self._credentials = credentials or Credentials()
        self._locks: dict[int, asyncio.Lock] = {}

    async def set(self, repository_id: int, address: str) -> None:
        """*address*: one that `check_address` has let pass."""
        await git.run("config", KEY, address, git_dir=self._path(repository_id))

    async def address(self, repository_id: int) -> str | None:
        """None: its home is here, which is told without asking git."""
        directory = self._path(repository_id)
        if not _has_section(directory / "config"):
            return None
        try:
            found = await git.run("config", "--get", KEY, git_dir=directory)
        except GitError as error:
            raise ForgeError(f"The copy cannot be read: {error.message}", permanent=True) from error
        return found.decode().strip()

    async def remote(self, repository_id: int, *, writable: bool) -> Remote | None:
        address = await self.address(repository_id)
        if address is None:
            return None
        env = self._credentials.environment(address)
        return Remote(address, env=env, writable=writable)

    async def fetch(self, repository: Repository, remote: Remote) -> None:
        """The copy has what its home, *remote*, has."""
        async with self._locks.setdefault(repository.id, asyncio.Lock()):
            try:
                await git.run(
                    *(*FETCH, remote.url, *REFSPECS),
                    git_dir=self._path(repository.id),
                    protocols=protocol_of(remote.url),
                    env=remote.env,
                    timeout_seconds=FETCH_SECONDS,
                )
            except GitError as error:
                kind = ForgeRefused if fault_of(error) in LASTING else ForgeError
                raise kind(
                    f"{repository.full_name} cannot be fetched from {remote.url}: {error.message}"
                ) from error

    async def move(self, repository: Repository, ref: str, to: str, expected: str) -> None:
        """*ref* at the home; nothing to do where the home is here. NotMergeable when it refuses."""
        remote = await self.remote(repository.id, writable=True)
        if remote is None:
            return
        try:
            await git.run(
                *("push", "--quiet", "--no-verify", f"--force-with-lease={ref}:{expected}"),
                *("--", remote.url, f"{to}:{ref}"),
                git_dir=self._path(repository.id),
                protocols=protocol_of(remote.url),
                env=remote.env,
                timeout_seconds=FETCH_SECONDS,
            )
        except GitError as error:
            await self.fetch(repository, remote)  # it may have moved: the next try sees that
            raise NotMergeable(f"{remote.url} does not take the merge: {error.message}") from error


def check_address(address: str) -> None:
    """INVALID where it holds a credential; what is no address is left to who reads it."""
    try:
        parts = urlsplit(address)
        by_http = parts.scheme.lower() in ("http", "https")
        has_credential = parts.password or (by_http and parts.username)
    except ValueError:
        return
    if has_credential:
        raise invalid(
            "source",
            "The address of an upstream is kept and shown: leave the credential out, and set "
            "it in git.credentials.",
        )


def _has_section(config: Path) -> bool:
    try:
        return b"[journeyman]" in config.read_bytes()
    except FileNotFoundError:
        return False

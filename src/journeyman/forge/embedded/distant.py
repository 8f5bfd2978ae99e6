"""The embedded forge for a worker that does not share the server's disk: what is in the store is
read there, git goes over HTTP to the server, with a pass for one repository.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from journeyman import git
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge import ForgeError, Remote, credential
from journeyman.forge.embedded.forge import EmbeddedForge, utc_now
from journeyman.forge.embedded.passes import Issued
from journeyman.forge.embedded.records import Records
from journeyman.git import GitError
from journeyman.git.faults import Fault, fault_of

PASS_LIFE = timedelta(hours=2)
"""At least half of it is left when a fetch begins, which may take an hour."""
ASK_SECONDS = 60
LASTING = (Fault.DENIED, Fault.NOT_FOUND)


class DistantForge(EmbeddedForge):
    """*url*: where a `serve` process of the same database answers."""

    def __init__(
        self, records: Records, root: Path, url: str, *, clock: Callable[[], datetime] = utc_now
    ) -> None:
        super().__init__(records, root, clock=clock)
        self._url = url.rstrip("/")
        self._issued = Issued(PASS_LIFE, clock)

    async def _tip(self, actor: Actor, repository: Repository, ref: str) -> str | None:
        remote = await self._remote(actor, repository, writable=False)
        try:
            listed = await git.run(
                *("ls-remote", "--quiet", "--", remote.url, ref),
                protocols=urlsplit(remote.url).scheme,
                env=remote.env,
                timeout_seconds=ASK_SECONDS,
            )
        except GitError as error:
            raise ForgeError(
                f"{repository.full_name} cannot be read from {self._url}: {error.message}",
                permanent=fault_of(error) in LASTING,
            ) from error
        # git looks for the end of a name: refs/heads/refs/heads/main is listed too.
        lines = (line.split("\t") for line in listed.decode("utf-8", "replace").splitlines())
        return next((sha for sha, name in lines if name == ref), None)

    async def note_merges(self, repository: Repository) -> None:
        """The server does, which has the branches."""

    async def _remote(self, actor: Actor, repository: Repository, *, writable: bool) -> Remote:
        key = await self._records.signing_key()
        account = actor.account.id
        secret = self._issued.for_(key, account, repository.id, writable=writable)
        url = f"{self._url}/{repository.full_name}.git"
        return Remote(url, env=credential.for_git(secret, self._url), writable=writable)

"""The Forge contract on bare repositories of this machine. Knows nothing of HTTP, SQL or tasks."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import structlog

from journeyman import git
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import SCOPED, Actor, Principal, Token, TokenKind, kind_of
from journeyman.domain.pushes import Update
from journeyman.domain.refs import can_be_branch
from journeyman.domain.repositories import Account, Permission, Pull, PullState, Repository
from journeyman.forge import Access, ForgeError, ForgeRefused, NewPull, PullChange, Remote
from journeyman.forge.embedded import imports, passes, tokens, upstreams
from journeyman.forge.embedded.elsewhere import MergedElsewhere
from journeyman.forge.embedded.records import Records
from journeyman.forge.embedded.texts import Texts
from journeyman.forge.embedded.upstreams import Credentials, Upstreams
from journeyman.git import GitError

log = structlog.get_logger()


def utc_now() -> datetime:
    return datetime.now(UTC)


class EmbeddedForge:
    """Bare repositories at `root/<repository id>.git`; the rest is in *records*."""

    name, url, noreply = "embedded", "", "users.noreply.journeyman.invalid"
    pull_path = "pulls"
    # It has no issues and no continuous integration, and its API is Journeyman's own.
    discussion = checks = news = passing = sign_in = listing = None

    def __init__(
        self,
        records: Records,
        root: Path,
        *,
        credentials: Credentials | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._records = records
        self._root = root.absolute()
        self._clock = clock
        self._credentials = credentials or Credentials()
        self.upstreams = Upstreams(self.path, self._credentials)
        self._merged = MergedElsewhere(records, self.path, clock)
        self.texts = Texts(self.path)

    def path(self, repository_id: int) -> Path:
        """Where the repository's git data is."""
        return self._root / f"{repository_id}.git"

    async def identify(self, token: str) -> Principal:
        if kind_of(token) is TokenKind.INSTALLATION:
            raise AppError(Code.FORBIDDEN, "Resource not accessible by integration")
        found = None
        if kind_of(token) and tokens.wellformed(token):
            found = await self._records.find_token(tokens.digest(token))
        if found is None or not self._valid(found):
            raise AppError(Code.UNAUTHENTICATED, "Bad credentials")
        _refuse_suspended(found.account)
        await self._records.touch_token(found.id)
        return Principal(
            account=found.account,
            kind=found.kind,
            scopes=found.scopes if found.kind in SCOPED else None,
            token_id=found.id,
            expires_at=found.expires_at,
            permissions=None if found.kind in SCOPED else found.permissions or {},
            repository_ids=found.repository_ids,
        )

    async def identify_pass(self, text: str) -> Principal:
        """Who is at work in one repository, by a worker's pass. Raises AppError as `identify`."""
        given = passes.verify(await self._records.signing_key(), text, self._clock())
        account = None if given is None else await self._records.find_account(given.account_id)
        if given is None or account is None:
            raise AppError(Code.UNAUTHENTICATED, "Bad credentials")
        _refuse_suspended(account)
        return Principal(
            account=account,
            kind=TokenKind.INSTALLATION,
            expires_at=given.expires_at,
            permissions={"contents": given.level},
            repository_ids=frozenset({given.repository_id}),
        )

    def _valid(self, token: Token) -> bool:
        expired = token.expires_at is not None and token.expires_at <= self._clock()
        return token.revoked_at is None and not expired

    async def find_access(self, principal: Principal, owner: str, name: str) -> Access | None:
        repository = await self._records.find_repository(owner, name)
        if repository is None:
            return None
        role = await self._records.permission(principal.account.id, repository.id)
        permission = principal.limit(role, repository.id, private=repository.private)
        return Access(repository, permission) if permission >= Permission.READ else None

    async def find_public(self, owner: str, name: str) -> Repository | None:
        """A repository that needs no token to be read."""
        repository = await self._records.find_repository(owner, name)
        return repository if repository and not repository.private else None

    async def find_tip(self, actor: Actor, repository: Repository, branch: str) -> str | None:
        if not can_be_branch(branch):
            return None
        return await self._tip(actor, repository, f"refs/heads/{branch}")

    async def _tip(self, _actor: Actor, repository: Repository, ref: str) -> str | None:
        directory = self._existing(repository)
        await self.refresh(repository)
        try:
            tip = await git.run("show-ref", "--verify", "--hash", ref, git_dir=directory)
        except GitError as error:
            if "not a valid ref" in error.message:
                return None
            raise ForgeError(f"{repository.full_name} cannot be read: {error.message}") from error
        return tip.decode().strip()

    async def refresh(self, repository: Repository) -> None:
        """Where its home is elsewhere: the copy has what that has, and the pull requests that were
        merged there have ended."""
        home = await self.upstreams.remote(repository.id, writable=False)
        if home is not None:
            await self.note_merges(repository)
            await self.upstreams.fetch(repository, home)
            await self.note_merges(repository)

    async def note_merges(self, repository: Repository) -> None:
        """Before branches move, and after: what the base of a pull request has by now is merged.
        Where that cannot be looked at, the next fetch or push tells it."""
        try:
            await self._merged.note(repository)
        except ForgeError as error:
            log.warning("merges.unseen", repository=repository.full_name, error=str(error))

    async def remote(self, actor: Actor, repository: Repository) -> Remote:
        """NOT_FOUND when *actor* may not see it; a Remote that is not writable when they may only
        read.
        """
        permission = await self._records.permission(actor.account.id, repository.id)
        if permission < Permission.READ:
            raise AppError(
                Code.NOT_FOUND, f"{repository.full_name} is not visible to {actor.account.login}."
            )
        writable = permission >= Permission.WRITE and not repository.archived
        return await self._remote(actor, repository, writable=writable)

    async def _remote(self, _actor: Actor, repository: Repository, *, writable: bool) -> Remote:
        here = Remote(str(self._existing(repository)), writable=writable)
        return await self.upstreams.remote(repository.id, writable=writable) or here

    async def find_pull(
        self, actor: Actor, repository: Repository, head_ref: str, base_ref: str
    ) -> Pull | None:
        return await self._records.find_open_pull(repository.id, head_ref, base_ref)

    async def open_pull(self, actor: Actor, repository: Repository, new: NewPull) -> Pull:
        for ref in (new.head_ref, new.base_ref):
            if await self.find_tip(actor, repository, ref) is None:
                raise ForgeRefused(f"{repository.full_name} has no branch {ref!r}; push it first.")
        made = await self._records.add_pull(repository.id, actor.account.id, new)
        await self.note_merges(repository)
        return made

    async def was_closed(self, actor: Actor, repository: Repository, number: int) -> bool:
        found = await self._records.find_pull(repository.id, number)
        return found is not None and found.state is PullState.CLOSED

    async def update_pull(
        self, actor: Actor, repository: Repository, number: int, change: PullChange
    ) -> Pull:
        return await self._records.update_pull(repository.id, number, change)

    async def note_push(
        self, by: Principal, repository: Repository, address: str, pushed: Sequence[Update]
    ) -> None:
        """*by* has pushed from *address*."""
        await self._records.note_push(by, repository.id, address, pushed)

    async def import_repository(
        self, repository_id: int, source: str, *, upstream: bool = False
    ) -> str:
        """Fill the repository from a path or an address; gives back its default branch. *upstream*:
        its home stays there.

        A source without any commit is taken, and has no tips. AppError INVALID or UNAVAILABLE says
        what is wrong with *source*, CONFLICT that the repository is there already; then nothing is
        left behind.
        """
        if upstream:
            upstreams.check_address(source)
        target = self.path(repository_id)
        branch = await imports.fill(target, source, self._credentials.environment(source))
        if upstream:
            try:
                await self.upstreams.set(repository_id, source)
            except BaseException:
                await asyncio.to_thread(shutil.rmtree, target, ignore_errors=True)
                raise
        return branch

    def _existing(self, repository: Repository) -> Path:
        directory = self.path(repository.id)
        if not (directory / "HEAD").is_file():
            raise ForgeError(
                f"The git data of {repository.full_name} is missing at {directory}; "
                "restore it from a backup or add the repository again.",
                permanent=True,
            )
        return directory


def _refuse_suspended(account: Account) -> None:
    if account.suspended_at is not None:
        raise AppError(Code.FORBIDDEN, "Sorry. Your account was suspended.")

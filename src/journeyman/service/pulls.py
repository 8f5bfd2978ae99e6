"""Pull requests of the embedded forge: reading, changing and merging them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from journeyman.domain.audit import SERVER, Action
from journeyman.domain.errors import AppError, Code, FieldError, invalid, not_found
from journeyman.domain.history import (
    ChangedFile,
    Commit,
    MergeMethod,
    MergePlan,
    NotMergeable,
    Signature,
    Tips,
)
from journeyman.domain.principals import Principal
from journeyman.domain.queries import PullQuery
from journeyman.domain.repositories import (
    Account,
    Permission,
    Pull,
    PullEnd,
    PullState,
    Repository,
)
from journeyman.forge import Access, Forge, NewPull
from journeyman.service import audit, outages
from journeyman.service.clock import Clock, utc_now
from journeyman.service.history import History
from journeyman.service.identity import require_write
from journeyman.store import accounts, pulls
from journeyman.store.database import Database

NO_COMMIT = "0" * 40
"""Stands for the end of a branch that is gone."""


class Merges(Protocol):
    """Merging in the embedded forge's repositories."""

    async def is_clean(self, repository: Repository, base: str, head: str) -> bool: ...

    async def prepare(self, repository: Repository, plan: MergePlan) -> str: ...

    async def carry_out(self, repository: Repository, plan: MergePlan, prepared: str) -> None: ...

    async def keep(self, repository: Repository, number: int, head: str) -> None: ...


@dataclass(frozen=True)
class FoundPull:
    """A pull request with its people and the ends of its branches."""

    pull: Pull
    user: Account
    merged_by: Account | None
    head_sha: str
    base_sha: str

    @property
    def has_commits(self) -> bool:
        return NO_COMMIT not in (self.head_sha, self.base_sha)


@dataclass(frozen=True)
class PullDetail:
    found: FoundPull
    commits: int
    additions: int
    deletions: int
    changed_files: int
    mergeable: bool | None
    """None: it is not open."""


@dataclass(frozen=True)
class PullEdit:
    """What to change; None leaves it as it is."""

    title: str | None = None
    body: str | None = None
    open: bool | None = None
    base_ref: str | None = None


@dataclass(frozen=True)
class MergeRequest:
    method: MergeMethod = MergeMethod.MERGE
    title: str | None = None
    message: str | None = None
    head_sha: str | None = None
    """What the caller believes to merge."""


class Pulls:
    def __init__(
        self,
        database: Database,
        forge: Forge,
        history: History,
        merges: Merges,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._forge = forge
        self._history = history
        self._merges = merges
        self._clock = clock

    async def list_pulls(self, access: Access, query: PullQuery) -> tuple[list[FoundPull], bool]:
        """A page, and whether there are more."""
        repository = access.repository
        with outages.told():
            tips = await self._history.tips(repository)
        found = await self._database.read(lambda tx: pulls.list_page(tx, repository.id, query))
        if any([await self._finish_merge(repository, pull, tips) for pull in found]):
            found = await self._database.read(lambda tx: pulls.list_page(tx, repository.id, query))
        page = found[: query.per_page]
        made = await self._database.read(lambda tx: [_found(tx, pull, tips) for pull in page])
        return made, len(found) > query.per_page

    async def get(self, access: Access, number: int) -> PullDetail:
        found = await self._find(access, number)
        with outages.told():
            return await self._detail(access.repository, found)

    async def files(self, access: Access, number: int) -> Sequence[ChangedFile]:
        found = await self._find(access, number)
        with outages.told():
            return await self._files(access.repository, found)

    async def commits(self, access: Access, number: int) -> Sequence[Commit]:
        found = await self._find(access, number)
        if not found.has_commits:
            return []
        with outages.told():
            return await self._history.commits(access.repository, found.base_sha, found.head_sha)

    async def diff(self, access: Access, number: int) -> bytes:
        found = await self._find(access, number)
        if not found.has_commits:
            return b""
        with outages.told():
            before = await self._before(access.repository, found)
            return await self._history.diff(access.repository, before, found.head_sha)

    async def patch(self, access: Access, number: int) -> bytes:
        found = await self._find(access, number)
        if not found.has_commits:
            return b""
        with outages.told():
            return await self._history.patch(access.repository, found.base_sha, found.head_sha)

    async def open(self, principal: Principal, access: Access, new: NewPull) -> PullDetail:
        """INVALID where a branch is missing, or where one is open between the two."""
        require_write(access)
        repository, actor = access.repository, principal.actor
        with outages.told():
            for field, ref in (("head", new.head_ref), ("base", new.base_ref)):
                if await self._forge.find_tip(actor, repository, ref) is None:
                    message = f"{repository.full_name} has no branch {ref[:100]!r}."
                    raise invalid(field, message, "invalid")
            if await self._forge.find_pull(actor, repository, new.head_ref, new.base_ref):
                label = f"{repository.owner.login}:{new.head_ref}"
                raise invalid("head", f"A pull request already exists for {label}.")
            pull = await self._forge.open_pull(actor, repository, new)
        return await self.get(access, pull.number)

    async def update(
        self, principal: Principal, access: Access, number: int, edit: PullEdit
    ) -> PullDetail:
        """By who may write, and by who opened it."""
        found = await self._find(access, number)
        repository = access.repository
        reaches = principal.limit(Permission.WRITE, repository.id, private=repository.private)
        if found.user.id != principal.account.id or reaches < Permission.WRITE:
            require_write(access)
        await self._check_branches(repository, found, edit)
        if edit.open is False and found.pull.state is PullState.OPEN:
            await self._close(repository, found)
        await self._database.write(lambda tx: self._change(tx, repository, number, edit))
        return await self.get(access, number)

    def _change(self, tx: Connection, repository: Repository, number: int, edit: PullEdit) -> None:
        accounts.lock_repository(tx, repository.id)
        pull, now = pulls.get_pull(tx, repository.id, number), self._clock()
        reopens = bool(edit.open) and pull.state is PullState.CLOSED
        if reopens or (edit.base_ref and pull.state is PullState.OPEN):
            _check_alone(tx, pull, edit.base_ref or pull.base_ref)
        wanted = {"title": edit.title, "body": edit.body, "base_ref": edit.base_ref}
        changes: dict[str, str | bool] = {k: v for k, v in wanted.items() if v is not None}
        if changes:
            pulls.update_pull(tx, repository.id, number, changes, now)
        if reopens:
            pulls.reopen_pull(tx, repository.id, number, now)
            _record(tx, Action.PULL_REOPEN, pull, now)

    async def merge(
        self, principal: Principal, access: Access, number: int, asked: MergeRequest
    ) -> str:
        """The new commit. CONFLICT when it cannot be merged; with a field when the head is not
        what the caller believes."""
        require_write(access)
        found = await self._find(access, number)
        _check_mergeable(found, asked)
        repository, now = access.repository, self._clock()
        who = principal.account
        committer = Signature(
            who.login, f"{who.id}+{who.login}@users.noreply.journeyman.invalid", now
        )
        with outages.told():
            commits = await self.commits(access, number)
            plan = MergePlan(
                base_ref=found.pull.base_ref,
                base_sha=found.base_sha,
                head_sha=found.head_sha,
                method=asked.method,
                message=_message(found.pull, repository, asked, commits),
                committer=committer,
            )
            try:
                return await self._merge(repository, found, plan, who)
            except NotMergeable as error:
                raise AppError(Code.CONFLICT, str(error)) from error

    async def _merge(
        self, repository: Repository, found: FoundPull, plan: MergePlan, who: Account
    ) -> str:
        """Noted before the branch moves: whoever finds the pull request after a crash between the
        two finishes what was begun."""
        sha, number = await self._merges.prepare(repository, plan), found.pull.number
        end = PullEnd(self._clock(), found.head_sha, found.base_sha, who.id, sha)
        begun = await self._database.write(
            lambda tx: pulls.begin_merge(tx, repository.id, number, end)
        )
        if not begun:
            raise NotMergeable("Pull Request is not mergeable")
        await self._merges.carry_out(repository, plan, sha)
        await self._write_end(repository, found.pull, PullState.MERGED, end)
        return sha

    async def _finish_merge(self, repository: Repository, pull: Pull, tips: Tips) -> bool:
        """Whether there was a merge to finish: one that moved the branch and went no further."""
        end = pull.merging
        if end is None or end.merge_sha is None or pull.base_ref not in tips:
            return False
        with outages.told():
            tip = tips[pull.base_ref]
            if await self._history.merge_base(repository, end.merge_sha, tip) != end.merge_sha:
                return False
        with audit.acting(SERVER):
            await self._write_end(repository, pull, PullState.MERGED, end)
        return True

    async def _close(self, repository: Repository, found: FoundPull) -> None:
        end = PullEnd(self._clock(), found.head_sha, found.base_sha)
        await self._write_end(repository, found.pull, PullState.CLOSED, end)

    async def _write_end(
        self, repository: Repository, pull: Pull, state: PullState, end: PullEnd
    ) -> None:
        """The commits are kept first: an end without them could not be shown."""
        if NO_COMMIT not in (end.head_sha, end.base_sha):
            with outages.told():
                await self._merges.keep(repository, pull.number, end.head_sha)
        action = Action.PULL_MERGE if state is PullState.MERGED else Action.PULL_CLOSE

        def finish(tx: Connection) -> None:
            if pulls.end_pull(tx, repository.id, pull.number, state, end):
                _record(tx, action, pull, end.at)

        await self._database.write(finish)

    async def _check_branches(
        self, repository: Repository, found: FoundPull, edit: PullEdit
    ) -> None:
        """INVALID where the edit leaves it open between branches that are not there."""
        pull, with_base = found.pull, edit.base_ref not in (None, found.pull.base_ref)
        if edit.open and pull.state is PullState.MERGED:
            raise invalid("state", f"Pull request #{pull.number} is merged and stays so.")
        reopens = bool(edit.open) and pull.state is PullState.CLOSED
        if not (with_base or reopens):
            return
        with outages.told():
            tips = await self._history.tips(repository)
        base_ref = edit.base_ref or pull.base_ref
        if base_ref not in tips:
            raise invalid("base", f"{repository.full_name} has no branch {base_ref!r}.", "invalid")
        if reopens and pull.head_ref not in tips:
            gone = f"state cannot be changed. The {pull.head_ref} branch has been deleted."
            raise invalid("state", gone, "invalid")

    async def _find(self, access: Access, number: int) -> FoundPull:
        repository = access.repository
        with outages.told():
            tips = await self._history.tips(repository)

        def find(tx: Connection) -> FoundPull | None:
            pull = pulls.find_pull(tx, repository.id, number)
            return None if pull is None else _found(tx, pull, tips)

        found = await self._database.read(find)
        if found and await self._finish_merge(repository, found.pull, tips):
            found = await self._database.read(find)
        if found is None:
            raise not_found(f"There is no pull request #{number}.")
        return found

    async def _detail(self, repository: Repository, found: FoundPull) -> PullDetail:
        is_open = found.pull.state is PullState.OPEN
        if not found.has_commits:
            return PullDetail(found, 0, 0, 0, 0, False if is_open else None)
        files = await self._files(repository, found)
        base, head = found.base_sha, found.head_sha
        return PullDetail(
            found=found,
            commits=await self._history.count(repository, base, head),
            additions=sum(file.additions for file in files),
            deletions=sum(file.deletions for file in files),
            changed_files=len(files),
            mergeable=await self._merges.is_clean(repository, base, head) if is_open else None,
        )

    async def _files(self, repository: Repository, found: FoundPull) -> Sequence[ChangedFile]:
        if not found.has_commits:
            return []
        before = await self._before(repository, found)
        return await self._history.changed_files(repository, before, found.head_sha)

    async def _before(self, repository: Repository, found: FoundPull) -> str:
        """Where the head left the base: what came to the base since is not the head's work."""
        return await self._history.merge_base(repository, found.base_sha, found.head_sha)


def _found(tx: Connection, pull: Pull, tips: Tips) -> FoundPull:
    merged_by_id = pull.end.merged_by_id if pull.end else None
    return FoundPull(
        pull=pull,
        user=accounts.get_account(tx, pull.user_id),
        merged_by=accounts.get_account(tx, merged_by_id) if merged_by_id else None,
        head_sha=pull.end.head_sha if pull.end else tips.get(pull.head_ref, NO_COMMIT),
        base_sha=pull.end.base_sha if pull.end else tips.get(pull.base_ref, NO_COMMIT),
    )


def _record(tx: Connection, action: Action, pull: Pull, now: datetime) -> None:
    data = {"pull_request_id": pull.id, "number": pull.number}
    audit.record(tx, action, now, repository_id=pull.repository_id, data=data)


def _check_alone(tx: Connection, pull: Pull, base_ref: str) -> None:
    """INVALID where another one is open between the two branches."""
    other = pulls.find_open_pull(tx, pull.repository_id, pull.head_ref, base_ref)
    if other is None or other.id == pull.id:
        return
    if pull.state is PullState.OPEN:
        raise invalid(
            "base",
            f"A pull request already exists for base branch '{base_ref}' and head branch "
            f"'{pull.head_ref}'.",
        )
    raise invalid(
        "state",
        "state cannot be changed. There is already an open pull request "
        f"from {pull.head_ref} to {base_ref}.",
    )


def _check_mergeable(found: FoundPull, asked: MergeRequest) -> None:
    pull = found.pull
    if pull.state is not PullState.OPEN or not found.has_commits:
        raise AppError(Code.CONFLICT, "Pull Request is not mergeable")
    if pull.draft:
        raise AppError(Code.CONFLICT, "Pull Request is still a draft")
    if asked.head_sha is not None and asked.head_sha != found.head_sha:
        message = "Head branch was modified. Review and try the merge again."
        raise AppError(Code.CONFLICT, message, (FieldError("sha", "invalid", message),))


def _message(
    pull: Pull, repository: Repository, asked: MergeRequest, commits: Sequence[Commit]
) -> str:
    if asked.method is MergeMethod.SQUASH:
        title = f"{pull.title} (#{pull.number})"
        body = commits[0].message.partition("\n")[2].strip() if len(commits) == 1 else ""
        if len(commits) > 1:
            body = "\n\n".join(f"* {commit.message}" for commit in commits)
    else:
        source = f"{repository.owner.login}/{pull.head_ref}"
        title, body = f"Merge pull request #{pull.number} from {source}", pull.title
    title = asked.title or title
    body = body if asked.message is None else asked.message
    return f"{title}\n\n{body}".strip() + "\n"

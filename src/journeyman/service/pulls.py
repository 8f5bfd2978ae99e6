"""Pull requests of the embedded forge: reading, changing, merging them, and opening a task's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy import Connection

from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.audit import Action
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
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.queries import PullQuery
from journeyman.domain.repositories import (
    Account,
    Permission,
    Pull,
    PullEnd,
    PullState,
    Repository,
)
from journeyman.domain.tasks import Task
from journeyman.forge import Access, Forge, NewPull
from journeyman.service import audit, outages
from journeyman.service.changes import Changes
from journeyman.service.clock import Clock, utc_now
from journeyman.service.history import History
from journeyman.service.identity import require_write
from journeyman.service.tasks import Tasks
from journeyman.store import accounts, pulls
from journeyman.store.database import Database

NO_COMMIT = "0" * 40
"""Stands for the end of a branch that is gone."""


class Merges(Protocol):
    """Merging in the embedded forge's repositories."""

    async def is_clean(self, repository: Repository, base: str, head: str) -> bool: ...

    async def merge(self, repository: Repository, plan: MergePlan) -> str: ...

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
        of_tasks: Tasks,
        history: History,
        merges: Merges,
        changes: Changes,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._forge = forge
        self._tasks = of_tasks
        self._history = history
        self._merges = merges
        self._changes = changes
        self._clock = clock

    async def list_pulls(self, access: Access, query: PullQuery) -> tuple[list[FoundPull], bool]:
        """A page, and whether there are more."""
        repository = access.repository
        found = await self._database.read(lambda tx: pulls.list_page(tx, repository.id, query))
        with outages.told():
            tips = await self._history.tips(repository)
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
        repository, actor = access.repository, Actor(principal.account)
        with outages.told():
            tips = await self._history.tips(repository)
            for field, ref in (("head", new.head_ref), ("base", new.base_ref)):
                if ref not in tips:
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
        await self._check_base(access.repository, found, edit.base_ref)
        wanted = {"title": edit.title, "body": edit.body, "base_ref": edit.base_ref}
        changes: dict[str, str | bool] = {k: v for k, v in wanted.items() if v is not None}
        now = self._clock()
        if changes:
            await self._database.write(
                lambda tx: pulls.update_pull(tx, access.repository.id, number, changes, now)
            )
        if edit.open is not None:
            await self._set_open(access, found, is_open=edit.open)
        return await self.get(access, number)

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
                sha = await self._merges.merge(repository, plan)
            except NotMergeable as error:
                raise AppError(Code.CONFLICT, str(error)) from error
        await self._end(repository, found, PullState.MERGED, merged_by_id=who.id, merge_sha=sha)
        return sha

    async def open_for_task(self, principal: Principal, access: Access, task_id: str) -> Pull:
        """The pull request of the task's branch; the one that is there, when there is one."""
        task = (await self._tasks.get(principal, task_id)).task
        if task.repository.id != access.repository.id:
            raise not_found("This task is in another repository.")
        require_write(access)
        branch = _branch_of(task)
        actor, repository = Actor(principal.account), access.repository
        with outages.told():
            if await self._forge.find_tip(actor, repository, branch.head_ref) is None:
                raise AppError(Code.CONFLICT, f"The branch {branch.head_ref!r} is gone.")
            new = NewPull(
                title=task.name,
                body=f"> {task.session.prompt[:10_000]}".replace("\n", "\n> "),
                head_ref=branch.head_ref,
                base_ref=branch.base_ref,
                draft=not task.session.ended,
            )
            pull = await self._forge.open_pull(actor, repository, new)
        made, now = PullArtifact(pull.id, pull.number), self._clock()
        await self._database.write(lambda tx: self._changes.artifact(tx, task.session, made, now))
        return pull

    async def _set_open(self, access: Access, found: FoundPull, *, is_open: bool) -> None:
        repository, number = access.repository, found.pull.number
        if not is_open:
            if found.pull.state is PullState.OPEN:
                await self._end(repository, found, PullState.CLOSED)
            return
        if found.pull.state is PullState.MERGED:
            raise invalid("state", f"Pull request #{number} is merged and stays so.")
        now = self._clock()

        def reopen(tx: Connection) -> None:
            pulls.reopen_pull(tx, repository.id, number, now)
            _record(tx, Action.PULL_REOPEN, found.pull, now)

        await self._database.write(reopen)

    async def _end(
        self,
        repository: Repository,
        found: FoundPull,
        state: PullState,
        *,
        merged_by_id: int | None = None,
        merge_sha: str | None = None,
    ) -> None:
        end = PullEnd(self._clock(), found.head_sha, found.base_sha, merged_by_id, merge_sha)
        number = found.pull.number
        action = Action.PULL_MERGE if state is PullState.MERGED else Action.PULL_CLOSE

        def finish(tx: Connection) -> None:
            pulls.end_pull(tx, repository.id, number, state, end)
            _record(tx, action, found.pull, end.at)

        await self._database.write(finish)
        if found.has_commits:
            with outages.told():
                await self._merges.keep(repository, number, found.head_sha)

    async def _check_base(
        self, repository: Repository, found: FoundPull, base_ref: str | None
    ) -> None:
        if base_ref is None or base_ref == found.pull.base_ref:
            return
        with outages.told():
            tips = await self._history.tips(repository)
        if base_ref not in tips:
            raise invalid("base", f"{repository.full_name} has no branch {base_ref!r}.", "invalid")

    async def _find(self, access: Access, number: int) -> FoundPull:
        repository = access.repository
        with outages.told():
            tips = await self._history.tips(repository)

        def find(tx: Connection) -> FoundPull | None:
            pull = pulls.find_pull(tx, repository.id, number)
            return None if pull is None else _found(tx, pull, tips)

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


def _branch_of(task: Task) -> BranchArtifact:
    for artifact in reversed(task.artifacts):
        if isinstance(artifact, BranchArtifact):
            return artifact
    raise AppError(
        Code.CONFLICT,
        "The task has no branch yet, so there is nothing to propose; wait until it has made one.",
    )

"""Opening the pull request of a task that was asked for without one, on whatever forge there is."""

from __future__ import annotations

from sqlalchemy import Connection

from journeyman.domain.artifacts import BranchArtifact, PullArtifact
from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Pull, Repository
from journeyman.domain.signature import log_url, signature, unmarked
from journeyman.domain.tasks import Task
from journeyman.forge import Access, Forge, NewPull
from journeyman.service import outages
from journeyman.service.changes import Changes
from journeyman.service.clock import Clock, utc_now
from journeyman.service.identity import require_write
from journeyman.service.tasks import Tasks
from journeyman.store import sessions
from journeyman.store.database import Database

PROMPT_SHOWN = 10_000
"""Characters of the prompt that the body repeats."""


class Proposing:
    def __init__(
        self,
        database: Database,
        forge: Forge,
        tasks: Tasks,
        changes: Changes,
        public_url: str,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._forge = forge
        self._tasks = tasks
        self._changes = changes
        self._public_url = public_url
        self._clock = clock

    async def propose(self, principal: Principal, access: Access, task_id: str) -> Pull:
        """The pull request of the task's branch; the one that is there, when there is one. From
        now on the task keeps it up to date, as if it had been asked for at the beginning.

        CONFLICT where there is no branch, and where somebody has closed the task's own."""
        task = (await self._tasks.get(principal, task_id)).task
        if task.repository.id != access.repository.id:
            raise not_found("This task is in another repository.")
        require_write(access)
        branch = _branch_of(task)
        actor, repository = principal.actor, access.repository
        with outages.told():
            await self._check_not_closed(actor, repository, task)
            if await self._forge.find_tip(actor, repository, branch.head_ref) is None:
                raise AppError(Code.CONFLICT, f"The branch {branch.head_ref!r} is gone.")
            new = NewPull(
                title=task.name,
                body=self._body(principal, task),
                head_ref=branch.head_ref,
                base_ref=branch.base_ref,
                draft=not task.session.ended,
                assignee=principal.account.login,
            )
            pull = await self._forge.open_pull(actor, repository, new)
        made, now = PullArtifact(pull.id, pull.number), self._clock()

        def note(tx: Connection) -> None:
            sessions.want_pull_request(tx, task.session.id)
            self._changes.artifact(tx, task.session, made, now)

        await self._database.write(note)
        return pull

    def _body(self, principal: Principal, task: Task) -> str:
        quoted = f"> {task.session.prompt[:PROMPT_SHOWN]}".replace("\n", "\n> ")
        log = log_url(self._public_url, task.repository.full_name, task.id)
        return unmarked(f"{quoted}\n\n{signature(principal.account.login, log)}")

    async def _check_not_closed(self, actor: Actor, repository: Repository, task: Task) -> None:
        """CONFLICT where somebody has closed the task's own: another one would be against that."""
        own = [made.number for made in task.artifacts if isinstance(made, PullArtifact)]
        if own and await self._forge.was_closed(actor, repository, own[-1]):
            message = f"The task's pull request #{own[-1]} was closed; reopen it instead."
            raise AppError(Code.CONFLICT, message)


def _branch_of(task: Task) -> BranchArtifact:
    for artifact in reversed(task.artifacts):
        if isinstance(artifact, BranchArtifact):
            return artifact
    if task.session.ended:
        message = "The task has made no branch, so there is nothing to propose."
    else:
        message = "The task has no branch yet; wait until it has made one."
    raise AppError(Code.CONFLICT, message)

"""What a task changed, as a patch: at any time, whatever became of it."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Principal
from journeyman.domain.queries import TaskDetail
from journeyman.domain.sessions import Session
from journeyman.forge import Forge
from journeyman.service import outages
from journeyman.service.tasks import Tasks
from journeyman.store import events
from journeyman.store.database import Database
from journeyman.workspace import BundleRefused
from journeyman.workspace.mirror import Mirrors
from journeyman.workspace.publish import PATCH_LIMIT, Publisher, Work


class Patches:
    def __init__(
        self,
        database: Database,
        of_tasks: Tasks,
        forge: Forge,
        mirrors: Mirrors,
        publisher: Publisher,
        *,
        limit_bytes: int = PATCH_LIMIT,
    ) -> None:
        self._database = database
        self._tasks = of_tasks
        self._forge = forge
        self._mirrors = mirrors
        self._publisher = publisher
        self._limit_bytes = limit_bytes

    async def patch(self, principal: Principal, task_id: str) -> bytes:
        """`git diff --binary` from where the first session started to what was kept last.

        Empty when nothing was changed yet; CONFLICT when it is larger than the limit.
        """
        detail = await self._tasks.get(principal, task_id)
        found = await self._database.read(lambda tx: _kept(tx, detail.sessions))
        if found is None:
            return b""
        repository, (session, saved) = detail.task.repository, found
        assert session.base_sha is not None
        assert saved.bundle is not None
        with outages.told():
            remote = await self._forge.remote(principal.actor, repository)
            mirror = await self._mirrors.holding(repository.id, remote, session.base_sha)
            work = Work(saved.bundle, mirror, _start(detail, session), saved.sha)
            try:
                return await self._publisher.patch(work, limit_bytes=self._limit_bytes)
            except BundleRefused as error:
                message = f"{error} The branch {session.head_ref!r} has the same."
                raise AppError(Code.CONFLICT, message) from error

    async def version(self, principal: Principal, task_id: str) -> str:
        """What the patch is between; it need not be made for those who have it."""
        detail = await self._tasks.get(principal, task_id)
        found = await self._database.read(lambda tx: _kept(tx, detail.sessions))
        return "" if found is None else f"{_start(detail, found[0])}-{found[1].sha}"


def _start(detail: TaskDetail, session: Session) -> str:
    starts = (one.base_sha for one in (*detail.sessions, session) if one.base_sha)
    return next(starts)


def _kept(tx: Connection, of_task: Sequence[Session]) -> tuple[Session, Checkpoint] | None:
    """The newest session that has changed something, and what it has kept; GONE when that has
    expired."""
    for session in reversed(of_task):
        if events.checkpoint_expired(tx, session.id):
            raise AppError(Code.GONE, "The patch has expired: only its branch is left, if any.")
        saved = events.find_checkpoint(tx, session.id)
        if saved is not None and saved.bundle is not None and session.base_sha is not None:
            return session, saved
    return None

"""What a task changed, as a patch: at any time, whatever became of it."""

from __future__ import annotations

from journeyman.domain.principals import Actor, Principal
from journeyman.forge import Forge
from journeyman.service import outages
from journeyman.service.tasks import Tasks
from journeyman.store import events
from journeyman.store.database import Database
from journeyman.workspace.mirror import Mirrors
from journeyman.workspace.publish import Publisher, Work


class Patches:
    def __init__(
        self,
        database: Database,
        of_tasks: Tasks,
        forge: Forge,
        mirrors: Mirrors,
        publisher: Publisher,
    ) -> None:
        self._database = database
        self._tasks = of_tasks
        self._forge = forge
        self._mirrors = mirrors
        self._publisher = publisher

    async def patch(self, principal: Principal, task_id: str) -> bytes:
        """`git diff --binary` from where the newest session started to its last checkpoint.

        Empty when it has changed nothing yet.
        """
        task = (await self._tasks.get(principal, task_id)).task
        session = task.session
        saved = await self._database.read(lambda tx: events.find_checkpoint(tx, session.id))
        if saved is None or saved.bundle is None or session.base_sha is None:
            return b""
        with outages.told():
            remote = await self._forge.remote(Actor(principal.account), task.repository)
            mirror = await self._mirrors.refresh(
                task.repository.id, remote, commit=session.base_sha
            )
            work = Work(saved.bundle, mirror, session.base_sha, saved.sha)
            return await self._publisher.patch(work)

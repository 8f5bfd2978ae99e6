"""What a user does to a session that is there: steer it, answer it, end it, follow it up."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid
from journeyman.domain.principals import Principal
from journeyman.domain.sessions import DELIVERED, Reason, Session, State
from journeyman.domain.tasks import PROMPT_LIMIT, Task
from journeyman.engine.queue import Queue
from journeyman.service import audit
from journeyman.service.changes import Changes
from journeyman.service.clock import Clock, utc_now
from journeyman.service.live import Live
from journeyman.service.queueing import enqueue, enqueue_again
from journeyman.service.tasks import Tasks
from journeyman.store import events, sessions, tasks
from journeyman.store.database import Database

CANCEL_SECONDS = 10.0
"""How long `cancel` waits for the worker to say that every process is gone."""
CANCEL_POLL_SECONDS = 0.1


class Sessions:
    def __init__(
        self,
        database: Database,
        queue: Queue,
        of_tasks: Tasks,
        live: Live,
        changes: Changes,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._queue = queue
        self._tasks = of_tasks
        self._live = live
        self._changes = changes
        self._clock = clock

    async def cancel(self, principal: Principal, task_id: str) -> Task:
        """End the newest session. Answers when its processes are gone, or after CANCEL_SECONDS
        with the state
        as it is then. A session that has ended stays as it is."""
        await self._writable(principal, task_id)

        await self._database.write(lambda tx: self._cancel(tx, task_id))
        self._live.notify(task_id)
        return await self._settled(principal, task_id)

    def cancel_all_of(self, tx: Connection, user_id: int) -> None:
        """End every session that works, or would, for somebody who may not use this server."""
        for task_id in sessions.active_tasks_of(tx, user_id):
            self._cancel(tx, task_id)

    def _cancel(self, tx: Connection, task_id: str) -> None:
        now = self._clock()
        session = sessions.lock_newest(tx, task_id)
        if session.ended:
            return
        sessions.request_cancel(tx, session.id, now)
        _record(tx, Action.TASK_CANCEL, session, now)
        if session.state is not State.IN_PROGRESS:
            self._changes.state(tx, session, State.CANCELLED, now, reason=Reason.CANCELLED_BY_USER)

    async def pause(self, principal: Principal, task_id: str) -> Task:
        """Let the newest session rest: at once when no worker has it, else after the turn that it
        is in, which is cut off when it takes long. A message resumes it. CONFLICT after its end."""
        await self._writable(principal, task_id)

        def pause(tx: Connection) -> None:
            now = self._clock()
            session = sessions.lock_newest(tx, task_id)
            if session.ended:
                raise AppError(Code.CONFLICT, f"The task is {session.state}; it cannot be paused.")
            _record(tx, Action.TASK_PAUSE, session, now)
            if session.state is State.IN_PROGRESS:
                sessions.want_pause(tx, session.id, now)
            elif session.state is State.QUEUED:
                self._changes.state(tx, session, State.IDLE, now, reason=Reason.PAUSED)

        await self._database.write(pause)
        self._live.notify(task_id)
        return (await self._tasks.get(principal, task_id)).task

    async def steer(self, principal: Principal, task_id: str, content: str) -> Task:
        """A message for the agent, read at its next turn; the answer while it waits for one; a
        new session on the same branch after the end."""
        return await self.steer_with(principal, task_id, content, _nothing_else)

    async def steer_with(
        self, principal: Principal, task_id: str, content: str, also: Callable[[Connection], None]
    ) -> Task:
        """As `steer`; *also* is written in the same transaction."""
        if not content.strip() or len(content) > PROMPT_LIMIT:
            raise invalid(
                "content",
                f"content has {len(content)} characters; give between 1 and {PROMPT_LIMIT}.",
            )
        task = await self._writable(principal, task_id)

        def deliver(tx: Connection) -> None:
            self._deliver(tx, principal, task, content)
            also(tx)

        await self._database.write(deliver)
        self._live.notify(task_id)
        return (await self._tasks.get(principal, task_id)).task

    def _deliver(self, tx: Connection, principal: Principal, task: Task, content: str) -> None:
        now = self._clock()
        session = sessions.lock_newest(tx, task.id)
        if session.ended:
            session = self._follow_up(tx, principal, task, session, content)
            self._tasks.keep_credential(tx, session.id, principal)
            events.add_message(tx, session.id, principal.account.id, "prompt", content, now)
            _record(tx, Action.TASK_STEER, session, now)
            return
        if session.user_id == principal.account.id:
            self._tasks.keep_credential(tx, session.id, principal)
        sessions.want_pause(tx, session.id, None)
        source = "answer" if session.state is State.WAITING_FOR_USER else "steer"
        events.add_message(tx, session.id, principal.account.id, source, content, now)
        _record(tx, Action.TASK_STEER, session, now)
        if session.state in (State.WAITING_FOR_USER, State.IDLE):
            enqueue_again(self._queue, self._changes, tx, session, now)

    def _follow_up(
        self, tx: Connection, principal: Principal, task: Task, last: Session, content: str
    ) -> Session:
        """A new session of the same task on the same branch."""
        now = self._clock()
        # Read again under the lock: the session may have pushed and ended since.
        known = tasks.find_task(tx, task.id) or task
        pushed = any(
            getattr(artifact, "head_ref", None) == last.head_ref for artifact in known.artifacts
        )
        new = replace(
            last,
            id=str(uuid.uuid4()),
            number=last.number + 1,
            user_id=principal.account.id,
            state=State.QUEUED,
            state_reason=None,
            prompt=content,
            base_sha=None,
            on_existing_branch=last.on_existing_branch or pushed,
            error=None,
            usage_nano_credits=None,
            run_number=1,
            fence=0,
            last_seq=0,
            created_at=now,
            updated_at=now,
            completed_at=None,
            events_expired_at=None,
        )
        sessions.add_session(tx, new)
        # Of one that ended otherwise, work may be kept that was never pushed, or was refused.
        if last.state not in DELIVERED and events.copy_checkpoint(tx, last.id, new.id, now):
            sessions.set_base(tx, new.id, last.base_sha or "")
        tasks.set_newest_session(tx, task.id, new.id, new.number, now)
        self._changes.added(tx, new, now)
        enqueue(self._queue, tx, new)
        return new

    async def _writable(self, principal: Principal, task_id: str) -> Task:
        task = (await self._tasks.get(principal, task_id)).task
        await self._tasks.require_write(principal, task)
        if task.archived_at is not None:
            raise AppError(Code.CONFLICT, "The task is archived; unarchive it first.")
        return task

    async def _settled(self, principal: Principal, task_id: str) -> Task:
        """The task once its session has ended, or as it is when waiting took too long."""
        for _ in range(int(CANCEL_SECONDS / CANCEL_POLL_SECONDS)):
            task = (await self._tasks.get(principal, task_id)).task
            if task.session.ended:
                return task
            await asyncio.sleep(CANCEL_POLL_SECONDS)
        return task


def _nothing_else(_tx: Connection) -> None:
    pass


def _record(tx: Connection, action: Action, session: Session, now: datetime) -> None:
    data = {"task_id": session.task_id, "session_id": session.id}
    audit.record(tx, action, now, repository_id=session.repository_id, data=data)

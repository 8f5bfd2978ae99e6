"""Making, reading and listing tasks."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Callable, Collection
from dataclasses import asdict, replace
from datetime import datetime

from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from journeyman.agent.acp import PREFIX, named
from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.limits import Allowance
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Revision, TaskDetail, TaskPage, TaskQuery
from journeyman.domain.refs import can_be_branch
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.sessions import Session, State
from journeyman.domain.tasks import NewTask, Task, branch_for, branch_name, name_of
from journeyman.engine.queue import Queue
from journeyman.forge import Access, Forge
from journeyman.llm import Models, UnknownModel
from journeyman.service import audit, outages
from journeyman.service.changes import Changes
from journeyman.service.clock import Clock, utc_now
from journeyman.service.identity import require_write
from journeyman.service.queueing import enqueue
from journeyman.service.reach import Reach
from journeyman.service.upstream import Credentials
from journeyman.store import accounts, events, sessions, tasks
from journeyman.store.database import Database
from journeyman.telemetry.carried import tell


class Tasks:
    def __init__(
        self,
        database: Database,
        queue: Queue,
        forge: Forge,
        models: Models,
        changes: Changes,
        *,
        credentials: Credentials | None = None,
        allowance: Allowance,
        externals: Collection[str] = (),
        clock: Clock = utc_now,
    ) -> None:
        """*credentials*: for sessions that work on another forge."""
        self.reach = Reach(database, forge)
        self._credentials = credentials
        self._database = database
        self._queue = queue
        self._forge = forge
        self._models = models
        self._changes = changes
        self._allowance = allowance
        self._externals = externals
        self._clock = clock

    async def create(
        self,
        principal: Principal,
        access: Access,
        new: NewTask,
        *,
        idempotency_key: str | None = None,
        also: Callable[[Connection, Task], None] | None = None,
    ) -> Task:
        """Accept *new*: task, first session, its prompt and the queue entry, in one transaction,
        in which *also* writes what goes with them.

        With an *idempotency_key* that was used before: the same task for the same body, INVALID
        for another.
        """
        require_write(access)
        if new.urgent:
            _require_urgent(access)
        new = await self._checked(principal, access.repository, new)
        digest = hashlib.sha256(json.dumps([access.repository.id, asdict(new)]).encode()).digest()
        on_existing = new.head_ref is not None and await self._exists(
            principal, access.repository, new.head_ref
        )
        task = _first_session(principal, access.repository, new, on_existing, self._clock())
        tell(task_id=task.id, session_id=task.session.id)

        def create(tx: Connection) -> Task:
            if idempotency_key is not None:
                known = _same_request(tx, principal, idempotency_key, digest)
                if known is not None:
                    return known
            tasks.add_task(tx, task)
            sessions.add_session(tx, task.session)
            self.keep_credential(tx, task.session.id, principal)
            if idempotency_key is not None:
                tasks.add_idempotent(
                    tx, principal.account.id, idempotency_key, digest, task.id, task.created_at
                )
            events.add_message(
                tx, task.session.id, principal.account.id, "prompt", new.prompt, task.created_at
            )
            session = task.session
            enqueue(self._queue, tx, session)
            self._changes.added(tx, session, task.created_at)
            _record(tx, Action.TASK_CREATE, task, task.created_at)
            if also is not None:
                also(tx, task)
            return task

        try:
            return await self._database.write(create)
        except IntegrityError:
            # Two requests with one key at once, on a database with more than one writer: the
            # second attempt finds what the other one made.
            if idempotency_key is None:
                raise
            return await self._database.write(create)

    async def get(self, principal: Principal, task_id: str) -> TaskDetail:
        """NOT_FOUND also for a task of a repository that *principal* may not see."""

        def read(tx: Connection) -> TaskDetail | None:
            task = tasks.find_task(tx, task_id)
            if task is None:
                return None
            if accounts.permission_of(tx, principal, task.repository.id) < Permission.READ:
                return None
            waits = task.session.state is State.QUEUED
            position = sessions.queue_position(tx, task.session.id) if waits else None
            earlier = sessions.list_earlier(tx, task.session) if task.session_count > 1 else []
            return TaskDetail(task, (*earlier, task.session), position)

        detail = await self.reach.read(principal, read)
        if detail is None:
            raise not_found("Not Found")
        return detail

    async def version(self, principal: Principal, task_id: str) -> Revision:
        """What the task's ETag is made of, without reading the task; NOT_FOUND as `get`."""

        def read(tx: Connection) -> Revision | None:
            head = tasks.find_head(tx, task_id)
            if head is None:
                return None
            if accounts.permission_of(tx, principal, head.repository_id) < Permission.READ:
                return None
            waits = head.state is State.QUEUED
            position = sessions.queue_position(tx, head.session_id) if waits else None
            return Revision(head.version, position)

        found = await self.reach.read(principal, read)
        if found is None:
            raise not_found("Not Found")
        return found

    async def list_for_repository(self, access: Access, query: TaskQuery) -> TaskPage:
        repository_id = access.repository.id
        return await self._database.read(
            lambda tx: tasks.list_for_repository(tx, repository_id, query)
        )

    async def list_own(self, principal: Principal, query: TaskQuery) -> TaskPage:
        """The tasks that *principal* has made."""
        if principal.roles is not None:
            creator_id = principal.account.id
            ids = await self._database.read(lambda tx: tasks.repositories_of(tx, creator_id))
            await self.reach.ask(principal, ids)
        return await self._database.read(lambda tx: tasks.list_for_creator(tx, principal, query))

    async def archive(self, principal: Principal, task_id: str, archived: bool) -> Task:
        """Out of the lists, or back into them. A task that is still at work stays in them:
        CONFLICT."""
        task = (await self.get(principal, task_id)).task
        await self.require_write(principal, task)
        if archived and not task.session.ended:
            raise AppError(
                Code.CONFLICT,
                f"The task is {task.session.state}; cancel it or wait before archiving it.",
            )
        now = self._clock()

        def archive(tx: Connection) -> None:
            tasks.set_archived(tx, task_id, now if archived else None, now)
            self._changes.archived(tx, task.session, archived, now)
            action = Action.TASK_ARCHIVE if archived else Action.TASK_UNARCHIVE
            _record(tx, action, task, now)

        if archived != (task.archived_at is not None):
            await self._database.write(archive)
        return (await self.get(principal, task_id)).task

    async def require_write(self, principal: Principal, task: Task) -> None:
        """FORBIDDEN unless *principal* may write to the task's repository."""
        granted = await self.reach.read(
            principal, lambda tx: accounts.permission_of(tx, principal, task.repository.id)
        )
        require_write(Access(task.repository, granted))

    def keep_credential(self, tx: Connection, session_id: str, principal: Principal) -> None:
        """What the session works with on another forge, until its end."""
        if self._credentials is not None:
            self._credentials.keep(tx, session_id, principal, self._clock())

    def _check_external(self, custom_agent: str | None) -> None:
        """Agents of others are the same in every repository, so it is known here who is there."""
        name = named(custom_agent)
        if name is not None and name not in self._externals:
            there = ", ".join(f"{PREFIX}{one}" for one in self._externals) or "none"
            message = f"no agent {PREFIX}{name} is configured on this server; there is: {there}."
            raise invalid("custom_agent", message)

    async def _checked(self, principal: Principal, repository: Repository, new: NewTask) -> NewTask:
        """*new* with its branch names short and its base filled in; INVALID for what cannot
        work."""
        try:
            self._models.resolve(new.model)
        except UnknownModel as error:
            raise invalid("model", f"{error}.") from error
        self._check_external(new.custom_agent)
        base_ref = branch_name(new.base_ref) if new.base_ref else repository.default_branch
        if not await self._exists(principal, repository, base_ref):
            if new.base_ref is None:
                raise invalid(
                    "base_ref",
                    f"{repository.full_name} has no branch {base_ref!r} yet: it is empty. "
                    "Push a first commit to it.",
                )
            raise invalid(
                "base_ref",
                f"{repository.full_name} has no branch {base_ref!r}; its default branch is "
                f"{repository.default_branch!r}.",
            )
        head_ref = branch_name(new.head_ref) if new.head_ref else None
        if head_ref is not None and not can_be_branch(head_ref):
            raise invalid("head_ref", f"git allows no branch to be named {head_ref!r}.")
        if head_ref == base_ref:
            raise invalid(
                "head_ref",
                f"head_ref and base_ref are both {base_ref!r}; name a branch to work on.",
            )
        limits = self._allowance.decide(new.limits, principal.account.login, repository.full_name)
        return replace(new, base_ref=base_ref, head_ref=head_ref, limits=limits)

    async def _exists(self, principal: Principal, repository: Repository, branch: str) -> bool:
        with outages.told():
            tip = await self._forge.find_tip(principal.actor, repository, branch)
        return tip is not None


def _require_urgent(access: Access) -> None:
    """Who administers a repository says what is urgent in it: were it everybody, all would be."""
    if access.permission < Permission.ADMIN:
        raise AppError(
            Code.FORBIDDEN,
            f"Only who administers {access.repository.full_name} may give it urgent tasks; "
            "leave urgent out.",
        )


def _first_session(
    principal: Principal,
    repository: Repository,
    new: NewTask,
    on_existing_branch: bool,
    now: datetime,
) -> Task:
    task_id, session_id = str(uuid.uuid4()), str(uuid.uuid4())
    name = name_of(new.prompt)
    assert new.base_ref is not None
    session = Session(
        id=session_id,
        task_id=task_id,
        repository_id=repository.id,
        number=1,
        user_id=principal.account.id,
        state=State.QUEUED,
        state_reason=None,
        prompt=new.prompt,
        model=new.model,
        custom_agent=new.custom_agent,
        create_pull_request=new.create_pull_request,
        base_ref=new.base_ref,
        base_sha=None,
        head_ref=new.head_ref or branch_for(name, session_id),
        on_existing_branch=on_existing_branch,
        error=None,
        usage_nano_credits=None,
        run_number=1,
        fence=0,
        last_seq=0,
        created_at=now,
        updated_at=now,
        completed_at=None,
        limits=new.limits,
        urgent=new.urgent,
    )
    return Task(
        id=task_id,
        repository=repository,
        creator_id=principal.account.id,
        name=name,
        custom_agent=new.custom_agent,
        session=session,
        session_count=1,
        artifacts=(),
        version=1,
        created_at=now,
        updated_at=now,
        archived_at=None,
    )


def _record(tx: Connection, action: Action, task: Task, now: datetime) -> None:
    data = {"task_id": task.id, "session_id": task.session.id}
    audit.record(tx, action, now, repository_id=task.repository.id, data=data)


def _same_request(tx: Connection, principal: Principal, key: str, digest: bytes) -> Task | None:
    known = tasks.find_idempotent(tx, principal.account.id, key)
    if known is None:
        return None
    if known[0] != digest:
        raise invalid(
            "Idempotency-Key",
            f"Idempotency-Key {key!r} was used with another request; choose a new one.",
        )
    return tasks.find_task(tx, known[1])

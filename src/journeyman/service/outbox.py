"""What webhooks are to be told of, written down in the transaction in which it happens."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from journeyman.domain.artifacts import Artifact
from journeyman.domain.hooks import Hook, HookEvent, Occasion
from journeyman.domain.repositories import Account
from journeyman.domain.sessions import Session
from journeyman.service import audit
from journeyman.store import accounts, deliveries, hooks, sessions, tasks

GIVE_UP_AFTER = timedelta(days=1)


class Payloads(Protocol):
    """How a receiver is told of something."""

    def write(self, occasion: Occasion) -> bytes:
        """JSON, as the API would show it at this moment."""
        ...


class Outbox:
    def __init__(self, payloads: Payloads) -> None:
        self._payloads = payloads

    def task(self, tx: Connection, of: Session, action: str, now: datetime) -> None:
        """Something about the task of *of* has changed."""
        self._tell(tx, of, now, {HookEvent.TASK: action})

    def session(
        self, tx: Connection, of: Session, now: datetime, *, action: str, task_action: str
    ) -> None:
        """Something about *of*, its task's newest session, has changed, and so about the task."""
        told = {HookEvent.TASK: task_action, HookEvent.SESSION: action}
        self._tell(tx, of, now, told)

    def artifact(self, tx: Connection, of: Session, made: Artifact, now: datetime) -> None:
        self._tell(tx, of, now, {HookEvent.ARTIFACT: "created"}, made)

    def ping(self, tx: Connection, hook: Hook, now: datetime) -> None:
        repository = accounts.get_repository(tx, hook.repository_id)
        sender = audit.author().account or repository.owner
        occasion = Occasion(HookEvent.PING, None, repository, sender, hook=hook)
        self._write(tx, occasion, [hook], None, now)

    def _tell(
        self,
        tx: Connection,
        of: Session,
        now: datetime,
        told: dict[HookEvent, str],
        made: Artifact | None = None,
    ) -> None:
        there = hooks.keep_hooks(tx, of.repository_id)
        listening = {e: [hook for hook in there if hook.listens_to(e)] for e in told}
        if not any(listening.values()):
            return
        task = tasks.find_task(tx, of.task_id)
        assert task is not None
        session = sessions.get_session(tx, of.id)
        for event, action in told.items():
            occasion = Occasion(
                event, action, task.repository, _sender(tx, of), task, session, made
            )
            self._write(tx, occasion, listening[event], of.task_id, now)

    def _write(
        self,
        tx: Connection,
        occasion: Occasion,
        to: Iterable[Hook],
        task_id: str | None,
        now: datetime,
    ) -> None:
        guid, payload = str(uuid.uuid4()), self._payloads.write(occasion)
        for hook in to:
            new = deliveries.NewNotice(
                guid=guid,
                hook_id=hook.id,
                task_id=task_id,
                event=occasion.event,
                action=occasion.action,
                payload=payload,
                created_at=now,
                give_up_at=now + GIVE_UP_AFTER,
            )
            deliveries.add_notice(tx, new)


def _sender(tx: Connection, of: Session) -> Account:
    """Who did it; what a worker does, it does for the session's user."""
    return audit.author().account or accounts.get_account(tx, of.user_id)

"""The one way to change a session's state: allowed by the domain's table, written with its event
and with what webhooks are told, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.artifacts import Artifact, BranchArtifact, PullArtifact
from journeyman.domain.errors import AppError, Code
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.sessions import FINAL, LeaseLost, Reason, Session, State, transition
from journeyman.service.outbox import Outbox
from journeyman.store import credentials, events, sessions, tasks


def append(
    tx: sa.Connection,
    session: Session,
    new: Sequence[NewEvent],
    now: datetime,
    *,
    fence: int | None,
) -> list[Event]:
    """Append to the session's log. With a *fence*, LeaseLost unless it is still the session's."""
    first = sessions.reserve(tx, session.id, fence, len(new))
    if first is None:
        raise LeaseLost(session.id)
    return events.add_events(tx, session, first, new, now)


class Changes:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    def added(self, tx: sa.Connection, session: Session, now: datetime) -> None:
        """*session* has been added to its task, which may be as new."""
        task_action = "created" if session.number == 1 else session.state
        self._outbox.session(tx, session, now, action="created", task_action=task_action)

    def archived(self, tx: sa.Connection, session: Session, archived: bool, now: datetime) -> None:
        """The task of *session* has left the lists, or come back into them."""
        self._outbox.task(tx, session, "archived" if archived else "unarchived", now)

    def state(
        self,
        tx: sa.Connection,
        session: Session,
        state: State,
        now: datetime,
        *,
        reason: Reason | None = None,
        message: str | None = None,
        run_number: int | None = None,
        fence: int | None = None,
    ) -> None:
        """Move *session* to *state* and say so in its log; CONFLICT when the table forbids it or
        somebody was quicker."""
        transition(session.state, state)
        error = message if state in (State.FAILED, State.TIMED_OUT) else None
        data: dict[str, str] = {"state": state}
        if reason is not None:
            data["stateReason"] = reason
        if message is not None:
            data["message"] = message
        append(tx, session, [NewEvent(EventType.SESSION_STATE, data)], now, fence=fence)
        if not sessions.set_state(
            tx, session, state, reason=reason, error=error, run_number=run_number, now=now
        ):
            raise AppError(
                Code.CONFLICT, f"Session {session.id} changed meanwhile; look at it again."
            )
        if state in FINAL:
            credentials.remove(tx, session.id)
        self._outbox.session(tx, session, now, action=state, task_action=state)

    def artifact(
        self,
        tx: sa.Connection,
        session: Session,
        made: Artifact,
        now: datetime,
        *,
        fence: int | None = None,
    ) -> None:
        """*session* has produced *made*: once per task, however often it is told."""
        if not tasks.add_artifact(tx, session.task_id, made):
            return
        entry = NewEvent(EventType.ARTIFACT, _artifact_data(made))
        append(tx, session, [entry], now, fence=fence)
        sessions.touch_task(tx, session.task_id, now)
        self._outbox.artifact(tx, session, made, now)


def _artifact_data(made: Artifact) -> dict[str, object]:
    match made:
        case BranchArtifact(head_ref, base_ref):
            return {"type": "branch", "data": {"head_ref": head_ref, "base_ref": base_ref}}
        case PullArtifact(id, number):
            return {"type": "pull", "data": {"id": id, "number": number}}

"""The one way to change a session's state: allowed by the domain's table, written with its
event, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.errors import AppError, Code
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.sessions import LeaseLost, Reason, Session, State, transition
from journeyman.store import events, sessions


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


def change_state(
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
        raise AppError(Code.CONFLICT, f"Session {session.id} changed meanwhile; look at it again.")

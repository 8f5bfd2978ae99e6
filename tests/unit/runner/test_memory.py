"""What a follow-up is told of the sessions before it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from journeyman.domain.events import Event, EventType
from journeyman.runner.memory import LIMIT, recall


def event(kind: EventType, **data: Any) -> Event:
    return Event("s", 1, 1, kind, datetime(2026, 1, 1, tzinfo=UTC), data)


def test_a_first_session_remembers_nothing() -> None:
    assert recall([]) == ""


def test_it_is_told_who_said_what_and_how_it_ended() -> None:
    told = recall(
        [
            event(EventType.USER_MESSAGE, content="Fix it", source="prompt"),
            event(EventType.SESSION_STATE, state="in_progress"),
            event(EventType.MESSAGE, content="Looking."),
            event(EventType.MESSAGE, content=""),
            event(EventType.USER_MESSAGE, content="Wrap up", source="limit"),
            event(EventType.INPUT_REQUESTED, requestId="q", question="Which?"),
            event(EventType.USER_MESSAGE, content="The left", source="answer"),
            event(EventType.USER_MESSAGE, content="A test fails.", source="checks"),
            event(EventType.SESSION_STATE, state="cancelled", stateReason="cancelled_by_user"),
        ]
    )
    assert told.split("\n\n")[2:] == [
        "User: Fix it",
        "You: Looking.",
        "You asked: Which?",
        "User: The left",
        "Journeyman: A test fails.",
        "[The session became cancelled: cancelled_by_user]",
    ]


def test_a_long_past_loses_its_oldest_part() -> None:
    told = recall(event(EventType.MESSAGE, content=f"{n} " + "x" * 3000) for n in range(50))
    assert len(told) < LIMIT + 1000
    assert "You: 49 " in told
    assert "You: 0 " not in told
    assert "[What came before is left out.]" in told

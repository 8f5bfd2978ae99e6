"""A session's log in memory, for tests of the loop: appends, keeps, and can refuse or die."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from journeyman.agent.conversation import Conversation
from journeyman.domain.events import Event, EventType, NewEvent

WHEN = datetime(2026, 1, 2, tzinfo=UTC)


class NotMine(Exception):
    """What an append raises once another worker owns the session."""


class Journal:
    """`emit` and `publish` of one session. What is appended goes through JSON, as in a store."""

    def __init__(self, *events: NewEvent) -> None:
        self.events: list[Event] = []
        self.shown: list[NewEvent] = []
        self.batches = 0
        self.stop_before: Callable[[NewEvent], bool] = lambda event: False
        self.add(*events)

    def add(self, *events: NewEvent) -> list[Event]:
        added = [
            Event(
                session_id="s",
                session_number=1,
                seq=len(self.events) + number,
                type=event.type,
                created_at=WHEN,
                data=_stored(event.data),
                record=_stored(event.record),
            )
            for number, event in enumerate(events, 1)
        ]
        self.events += added
        return added

    async def emit(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        if any(map(self.stop_before, events)):
            raise NotMine
        self.batches += 1
        return self.add(*events)

    def publish(self, event: NewEvent) -> None:
        self.shown.append(event)

    def say(self, text: str, source: str = "prompt") -> None:
        data = {"content": text, "source": source, "userId": 1}
        self.add(NewEvent(EventType.USER_MESSAGE, data))

    def conversation(self, instructions: str = "") -> Conversation:
        return Conversation.fold(self.events, instructions=instructions)

    def types(self) -> list[str]:
        return [event.type.value for event in self.events]

    def all(self, type_: EventType) -> list[Event]:
        return [event for event in self.events if event.type is type_]


def _stored(value: Any) -> Any:
    return None if value is None else msgspec.json.decode(msgspec.json.encode(value))

"""What a person looks for, and what they are shown: beyond GitHub's two lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from journeyman.domain.events import Event, EventType
from journeyman.domain.queries import Cursor, Sort
from journeyman.domain.sessions import Session, State
from journeyman.domain.tasks import Task


@dataclass(frozen=True)
class Search:
    """Which of the tasks that a person may see."""

    states: frozenset[State] = frozenset()
    """Empty: every state."""
    repository_id: int | None = None
    creator: str = ""
    """A login; empty: anybody."""
    archived: bool = False
    text: str = ""
    """In the name, the newest prompt or the branch."""
    sort: Sort = Sort.UPDATED_AT
    ascending: bool = False
    page: int = 1
    per_page: int = 30


@dataclass(frozen=True)
class Row:
    """A task in the list."""

    task: Task
    creator: str
    nano_credits: int | None
    """Of all its sessions; None: nothing that has a price."""


@dataclass(frozen=True)
class Found:
    rows: tuple[Row, ...]
    has_more: bool
    counts: Mapping[State, int]
    """How many tasks of each state answer to the rest of the search."""


@dataclass(frozen=True)
class Waiting:
    """A message that the agent has not read yet."""

    login: str
    source: str
    content: str


@dataclass(frozen=True)
class Sight:
    """One task as its page shows it."""

    task: Task
    sessions: tuple[Session, ...]
    writable: bool
    people: Mapping[int, str]
    """Logins by account id, of all who have a part in it."""
    waiting: tuple[Waiting, ...]


@dataclass(frozen=True)
class Window:
    """A part of a task's log, in its order."""

    events: tuple[Event, ...]
    has_older: bool
    has_newer: bool

    @property
    def first(self) -> Cursor | None:
        return _cursor(self.events[0]) if self.events else None

    @property
    def last(self) -> Cursor | None:
        return _cursor(self.events[-1]) if self.events else None


@dataclass(frozen=True)
class Mark:
    """An entry of the log without what is long in it."""

    cursor: Cursor
    type: EventType
    created_at: datetime
    data: Mapping[str, object] = field(default_factory=dict)
    """Only of short types: states and usage."""


def _cursor(event: Event) -> Cursor:
    return Cursor(event.session_number, event.seq)

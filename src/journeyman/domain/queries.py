"""What a reader may ask for, and the pages that answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from journeyman.domain.events import Event
from journeyman.domain.sessions import Session, State
from journeyman.domain.tasks import Task


class Sort(StrEnum):
    UPDATED_AT = "updated_at"
    CREATED_AT = "created_at"


@dataclass(frozen=True)
class TaskQuery:
    """The filters of GitHub's two lists; the defaults are GitHub's."""

    page: int = 1
    per_page: int = 30
    sort: Sort = Sort.UPDATED_AT
    ascending: bool = False
    states: frozenset[State] = frozenset()
    """Empty: every state."""
    archived: bool = False
    since: datetime | None = None
    """Updated at or after."""
    creator_ids: frozenset[int] = frozenset()
    """Empty: everybody's."""


@dataclass(frozen=True)
class TaskPage:
    tasks: tuple[Task, ...]
    has_more: bool
    total_active_count: int
    total_archived_count: int


@dataclass(frozen=True)
class Revision:
    """A reader who has seen this has nothing new to see."""

    version: int
    queue_position: int | None


@dataclass(frozen=True)
class TaskDetail:
    """A task with all of its sessions, oldest first."""

    task: Task
    sessions: tuple[Session, ...]
    queue_position: int | None = None
    """1: the next one; None: it does not wait for a worker."""

    @property
    def revision(self) -> Revision:
        return Revision(self.task.version, self.queue_position)


class PullSort(StrEnum):
    CREATED = "created"
    UPDATED = "updated"


@dataclass(frozen=True)
class PullQuery:
    """The filters of GitHub's list of pull requests."""

    page: int = 1
    per_page: int = 30
    open: bool | None = True
    """None: open and closed ones."""
    head_ref: str | None = None
    base_ref: str | None = None
    sort: PullSort = PullSort.CREATED
    ascending: bool = False


@dataclass(frozen=True, order=True)
class Cursor:
    """A place in a task's log: after this event. Written `<session number>-<seq>`; it never
    expires."""

    session_number: int = 0
    seq: int = 0

    def __str__(self) -> str:
        return f"{self.session_number}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> Cursor:
        """Raises ValueError on anything but `<number>-<number>`."""
        number, _, seq = text.partition("-")
        return cls(int(number), int(seq))


@dataclass(frozen=True)
class EventPage:
    events: tuple[Event, ...]
    total: int

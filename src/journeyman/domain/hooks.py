"""Webhooks of a repository: who is told what, and what became of each delivery.

In the manner of GitHub's repository webhooks; the events are ours, since GitHub has none for tasks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from journeyman.domain.artifacts import Artifact
from journeyman.domain.repositories import Account, Repository
from journeyman.domain.sessions import Session
from journeyman.domain.tasks import Task


class HookEvent(StrEnum):
    TASK = "agent_task"
    """Actions: `created`, `archived`, `unarchived`, and each state that a task comes to."""
    SESSION = "agent_session"
    """Actions: `created`, and each state that a session comes to."""
    ARTIFACT = "agent_artifact"
    """Action: `created`."""
    PING = "ping"
    """Sent when a hook is made, and when somebody asks for it."""


SUBSCRIBABLE = (HookEvent.TASK, HookEvent.SESSION, HookEvent.ARTIFACT)
ALL_EVENTS = "*"


class ContentType(StrEnum):
    JSON = "json"
    FORM = "form"
    """The JSON as the field `payload` of a form."""


@dataclass(frozen=True)
class HookConfig:
    url: str
    content_type: ContentType = ContentType.FORM
    insecure_ssl: bool = False
    """True: the receiver's certificate is not checked."""
    secret: str | None = field(default=None, repr=False)
    """What signs each delivery; None once it is stored: it is never given out."""
    has_secret: bool = False


@dataclass(frozen=True)
class LastResponse:
    """What the newest delivery came to; no code while there is none."""

    code: int | None = None
    status: str = "unused"
    message: str | None = None


@dataclass(frozen=True)
class Hook:
    id: int
    repository_id: int
    active: bool
    events: tuple[str, ...]
    """Of SUBSCRIBABLE, or ALL_EVENTS alone."""
    config: HookConfig
    created_at: datetime
    updated_at: datetime
    last_response: LastResponse = LastResponse()

    def listens_to(self, event: HookEvent) -> bool:
        return self.active and (ALL_EVENTS in self.events or event in self.events)


@dataclass(frozen=True)
class Occasion:
    """What a receiver is told of, as it is at that moment."""

    event: HookEvent
    action: str | None
    repository: Repository
    sender: Account
    task: Task | None = None
    session: Session | None = None
    artifact: Artifact | None = None
    hook: Hook | None = None


@dataclass(frozen=True)
class Request:
    """One POST, complete and signed."""

    url: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    verify: bool = True
    """Whether the receiver's certificate must be good."""


@dataclass(frozen=True)
class Response:
    """What came back. Without a code nothing did, and *status* says why."""

    code: int | None
    status: str
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: str = ""
    """The body's beginning."""
    seconds: float = 0.0

    @property
    def is_success(self) -> bool:
        return self.code is not None and 200 <= self.code < 300

    @property
    def is_refusal(self) -> bool:
        """The receiver is there, and does not want this one."""
        return self.code is not None and 400 <= self.code < 500 and self.code not in (408, 429)


@dataclass(frozen=True)
class Delivery:
    """One attempt to tell a receiver."""

    id: int
    guid: str
    """Shared by all attempts, and by all hooks that are told of the same."""
    hook_id: int
    repository_id: int
    event: HookEvent
    action: str | None
    delivered_at: datetime
    redelivery: bool
    """It was not the first attempt."""
    url: str
    request_headers: Mapping[str, str]
    request_payload: str
    response: Response

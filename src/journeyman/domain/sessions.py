"""A session, its states, and the one table of the ways between them. Knows nothing of queues or
storage."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from journeyman.domain.errors import AppError, Code
from journeyman.domain.limits import DEFAULTS, Limits


class State(StrEnum):
    """GitHub's eight states of a task and of its sessions."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    WAITING_FOR_USER = "waiting_for_user"
    IDLE = "idle"
    COMPLETED = "completed"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"


class Reason(StrEnum):
    """Why a session is in its state, for machines: `state_reason`. Absent where the state says
    it all."""

    NO_CHANGES = "no_changes"
    COMMAND_FAILED = "command_failed"
    BASE_REF_NOT_FOUND = "base_ref_not_found"
    REPOSITORY_UNAVAILABLE = "repository_unavailable"
    CREDENTIAL_REFUSED = "credential_refused"
    SANDBOX_UNAVAILABLE = "sandbox_unavailable"
    SANDBOX_LOST = "sandbox_lost"
    WORKSPACE_NOT_SAVED = "workspace_not_saved"
    MODEL_UNAVAILABLE = "model_unavailable"
    MODEL_REFUSED = "model_refused"
    NO_PROGRESS = "no_progress"
    MODEL_NOT_CONFIGURED = "model_not_configured"
    AGENT_FAILED = "agent_failed"
    CUSTOM_AGENT_NOT_FOUND = "custom_agent_not_found"
    PUSH_REJECTED = "push_rejected"
    PUSH_PENDING = "push_pending"
    PULL_REJECTED = "pull_rejected"
    BUDGET_EXHAUSTED = "budget_exhausted"
    PAUSED = "paused"
    WORKER_LOST = "worker_lost"
    CANCELLED_BY_USER = "cancelled_by_user"
    INTERNAL_ERROR = "internal_error"


TRANSITIONS: Mapping[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.IN_PROGRESS, State.IDLE, State.FAILED, State.CANCELLED}),
    State.IN_PROGRESS: frozenset(
        {
            State.WAITING_FOR_USER,
            State.IDLE,
            State.COMPLETED,
            State.FAILED,
            State.TIMED_OUT,
            State.CANCELLED,
        }
    ),
    State.WAITING_FOR_USER: frozenset({State.QUEUED, State.FAILED, State.CANCELLED}),
    State.IDLE: frozenset({State.QUEUED, State.FAILED, State.CANCELLED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
    State.TIMED_OUT: frozenset(),
    State.CANCELLED: frozenset(),
}

FINAL = frozenset(state for state, ways in TRANSITIONS.items() if not ways)
"""States that end a session. What comes after is a new session of the same task."""
ACTIVE = frozenset(State) - FINAL
DELIVERED = frozenset({State.COMPLETED, State.TIMED_OUT})
"""Ends after which the work is pushed; after the others it is kept as a patch, beside what was
pushed before."""


def transition(current: State, new: State) -> State:
    """*new*, when a session may go there from *current*; a CONFLICT otherwise."""
    if new not in TRANSITIONS[current]:
        ways = ", ".join(sorted(TRANSITIONS[current])) or "nothing: it has ended"
        raise AppError(
            Code.CONFLICT,
            f"A session that is {current} cannot become {new}; from here it can become {ways}.",
        )
    return new


@dataclass(frozen=True)
class Run:
    """A stretch of work on a session, as the queue has it."""

    session_id: str
    task_id: str
    number: int


class LeaseLost(Exception):
    """Another worker has taken the session; whoever sees this must stop without a word."""


@dataclass(frozen=True)
class Session:
    """One prompt carried to an end: one branch, one workspace, one conversation."""

    id: str
    task_id: str
    repository_id: int
    number: int
    """From 1 within its task."""
    user_id: int
    state: State
    state_reason: Reason | None
    prompt: str
    model: str | None
    """As asked for; None is `auto`."""
    custom_agent: str | None
    create_pull_request: bool
    base_ref: str
    """Branch name without `refs/heads/`."""
    base_sha: str | None
    """The commit the work started from, once that is known."""
    head_ref: str
    """The branch that the work is pushed to."""
    on_existing_branch: bool
    """True when the caller named `head_ref`: commits go on top of it."""
    error: str | None
    usage_nano_credits: int | None
    """Sum of the priced replies; 1 credit is 0.01 USD. None: nothing that has a price."""
    run_number: int
    """Number of the newest run, from 1."""
    fence: int
    """Grows each time a worker takes the session; an append by an older holder is refused."""
    last_seq: int
    created_at: datetime
    updated_at: datetime
    completed_at: datetime | None
    limits: Limits = DEFAULTS
    urgent: bool = False
    """Its runs wait in a queue of their own."""
    events_expired_at: datetime | None = None
    """When its log was removed for its age; what is left of it is one entry that says so."""
    started_at: datetime | None = None
    """When its first run began; None while it has only been queued."""

    @property
    def branch_base(self) -> str:
        """What the work is cut from: the existing branch when commits go on top of it, the base
        otherwise."""
        return self.head_ref if self.on_existing_branch else self.base_ref

    @property
    def run(self) -> Run:
        """The newest one."""
        return Run(self.id, self.task_id, self.run_number)

    @property
    def ended(self) -> bool:
        return self.state in FINAL

    @property
    def at_work(self) -> bool:
        """True when a run carries it, or is to."""
        return self.state in (State.QUEUED, State.IN_PROGRESS)

"""How a run can end, and what each failure of an adapter means for its session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from journeyman.domain.errors import AppError
from journeyman.domain.sessions import Reason, State
from journeyman.forge import CredentialRefused, ForgeError, PullRejected, PushRejected
from journeyman.sandbox import FileRefused, SandboxLost, SandboxUnavailable
from journeyman.workspace import BundleRefused, WorkspaceError


@dataclass(frozen=True)
class Outcome:
    """The state that a session goes to, and what is said about it. Plain JSON on its way through
    the engine."""

    state: State
    reason: Reason | None = None
    message: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {
            "state": self.state.value,
            "reason": self.reason and self.reason.value,
            "message": self.message,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Outcome:
        reason = data["reason"]
        return cls(
            State(data["state"]), None if reason is None else Reason(reason), data["message"]
        )


COMPLETED = Outcome(State.COMPLETED)
CANCELLED = Outcome(State.CANCELLED, Reason.CANCELLED_BY_USER)


class Stop(Exception):
    """The run cannot go on; carries the outcome."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome


KEPT = "The work is kept in the patch. A message goes on with it."

EXPECTED = (
    AppError,
    BundleRefused,
    FileRefused,
    ForgeError,
    SandboxLost,
    SandboxUnavailable,
    Stop,
    WorkspaceError,
)
"""Failures with a meaning; any other exception is a bug."""


def failed(reason: Reason, message: str) -> Outcome:
    return Outcome(State.FAILED, reason, message)


def outcome_of(error: BaseException) -> Outcome:
    """What *error* means for the session; an unexpected one is an internal error without its
    text."""
    match error:
        case Stop(outcome=outcome):
            return outcome
        case SandboxUnavailable(hint=hint):
            return failed(Reason.SANDBOX_UNAVAILABLE, f"{error} {hint}".strip())
        case SandboxLost():
            return failed(
                Reason.SANDBOX_LOST, f"The sandbox ended: {error}. What was saved is in the patch."
            )
        case WorkspaceError() | BundleRefused():
            return failed(
                Reason.WORKSPACE_NOT_SAVED, f"{error} What was saved before is in the patch."
            )
        case ForgeError():
            return _of_forge(error)
        case FileRefused():
            return failed(Reason.REPOSITORY_UNAVAILABLE, str(error))
        case AppError(message=message):
            return failed(Reason.REPOSITORY_UNAVAILABLE, message)
        case _:
            return failed(
                Reason.INTERNAL_ERROR,
                "Internal error; see run.failed with this task's id in the server's log.",
            )


def _of_forge(error: ForgeError) -> Outcome:
    match error:
        case CredentialRefused():
            message = f"{error} The work is kept; a message with a good token goes on with it."
            return failed(Reason.CREDENTIAL_REFUSED, message)
        case PushRejected(permanent=True):
            return failed(Reason.PUSH_REJECTED, f"{error} {KEPT}")
        case PullRejected():
            return failed(Reason.PULL_REJECTED, str(error))
        case ForgeError(permanent=False):
            message = f"{error} It is tried again by itself."
            return Outcome(State.IDLE, Reason.REPOSITORY_UNAVAILABLE, message)
        case _:
            return failed(Reason.REPOSITORY_UNAVAILABLE, str(error))

"""How a turn ended, small enough for the engine's journal. Content is in the log, never here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from journeyman.domain.sessions import Reason

MESSAGE_CHARS = 4_000


class Kind(StrEnum):
    CONTINUE = "continue"
    DONE = "done"
    FAILED = "failed"
    WAITING = "waiting"


@dataclass(frozen=True)
class Verdict:
    kind: Kind
    message: str = ""
    """DONE: the summary. FAILED: what went wrong and what to do. WAITING: the question."""
    reason: Reason | None = None
    """Set when FAILED."""


CONTINUE = Verdict(Kind.CONTINUE)


def done(summary: str) -> Verdict:
    return Verdict(Kind.DONE, _short(summary))


def failed(reason: Reason, message: str) -> Verdict:
    return Verdict(Kind.FAILED, _short(message), reason)


def waiting(question: str) -> Verdict:
    return Verdict(Kind.WAITING, _short(question))


def _short(text: str) -> str:
    return text if len(text) <= MESSAGE_CHARS else text[: MESSAGE_CHARS - 1] + "…"

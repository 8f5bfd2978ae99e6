"""What is done at a limit: the agent is told in time to come to an end, and then it is stopped."""

from __future__ import annotations

from datetime import UTC, datetime

from journeyman.domain.events import EventType, NewEvent
from journeyman.domain.limits import Limit, Limits, Meter
from journeyman.domain.sessions import Reason, State
from journeyman.runner.outcome import Outcome

NAMES = {
    Limit.TIME: "time",
    Limit.STEPS: "number of steps",
    Limit.TOKENS: "number of tokens",
    Limit.CREDITS: "budget",
}
WRAP_UP = (
    "The {limit} for this session is nearly used up; this is your last turn or two. Start nothing "
    "new. Commit what is worth keeping with report_progress, and then say in a few sentences what "
    "is done, what is not, and what the next step would be."
)
INTERRUPTED = "The time for this session is nearly used up; what was running was stopped."


def warning(meter: Meter, limits: Limits) -> NewEvent | None:
    """What the agent is to be told now, once."""
    if meter.told is not None or (near := meter.near(limits, _now())) is None:
        return None
    content = WRAP_UP.format(limit=NAMES[near])
    data = {"content": content, "source": "limit", "limit": near.value}
    return NewEvent(EventType.USER_MESSAGE, data)


def stop(meter: Meter, limits: Limits, *, ended: bool = False) -> Outcome | None:
    """How the session stops now, if it must. *ended*: the agent itself came to an end."""
    limit = meter.told if ended else meter.exhausted(limits, _now())
    if limit is None:
        return None
    if limit is Limit.TIME:
        message = f"It was stopped after {limits.minutes:g} minutes of work, its limit. "
        return Outcome(State.TIMED_OUT, None, message + "A message begins a new session.")
    used = {
        Limit.STEPS: f"{meter.steps} of {limits.steps} steps",
        Limit.TOKENS: f"{meter.tokens} of {limits.tokens} tokens",
        Limit.CREDITS: f"{meter.nano_credits / 1e9:g} of {limits.credits} credits",
    }[limit]
    message = f"It has used {used}. A message resumes it, with as much again."
    return Outcome(State.IDLE, Reason.BUDGET_EXHAUSTED, message)


def seconds_left(meter: Meter, limits: Limits) -> float | None:
    """How long the next turn may take; None: as long as it likes."""
    return meter.seconds_left(limits, _now())


def _now() -> datetime:
    return datetime.now(UTC)

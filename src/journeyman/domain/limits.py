"""How much a session may use, and how much it has used, folded from its log.

Knows no clock: time is that of the events, so waiting in a queue or for a user costs nothing, and a
worker that was killed takes nothing of the account with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any

from journeyman.domain.errors import invalid
from journeyman.domain.events import OURS, Event, EventType

WRAP_UP_STEPS = 3
"""Replies that the agent has left once it was told to come to an end."""
WRAP_UP_PART = 0.1
"""The part of each limit that is kept for that."""
LONGEST_WRAP_UP_SECONDS = 300.0
SHORTEST_WRAP_UP_SECONDS = 2.0
NANO = 1_000_000_000


class Limit(StrEnum):
    TIME = "time"
    STEPS = "steps"
    TOKENS = "tokens"
    CREDITS = "credits"


MOST = 999_999_999_999
"""Of each limit."""


@dataclass(frozen=True)
class Limits:
    """Of one session; None or 0: as much as it takes."""

    minutes: float | None = 59.0
    """Of work; waiting does not count."""
    steps: int | None = None
    """Replies of the model."""
    tokens: int | None = None
    """Sent and received."""
    credits: float | None = None
    """Money; one is 0.01 USD."""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if value is not None and not 0 <= value <= MOST:
                name = f"limits.{item.name}"
                message = f"{name} is {value}; give a number from 0 to {MOST}."
                raise invalid(name, message, "invalid")

    def over(self, defaults: Limits) -> Limits:
        """These, and *defaults* where there is None."""
        own = {name: value for name, value in asdict(self).items() if value is not None}
        return Limits(**{**asdict(defaults), **own})

    def within(self, most: Limits) -> Limits:
        """These, and what is left of them where *most* has less."""
        own = asdict(self)
        for name, value in asdict(most).items():
            if value:
                own[name] = min(own[name] or value, value)
        return Limits(**own)

    @property
    def seconds(self) -> float | None:
        return None if not self.minutes else self.minutes * 60

    @property
    def wrap_up_seconds(self) -> float:
        part = WRAP_UP_PART * (self.seconds or 0)
        return max(SHORTEST_WRAP_UP_SECONDS, min(LONGEST_WRAP_UP_SECONDS, part))


DEFAULTS = Limits()
NONE_GIVEN = Limits(minutes=None)


@dataclass(frozen=True)
class Allowance:
    """What the operator has decided: limits for who names none, and the most that may be named."""

    defaults: Limits = DEFAULTS
    repositories: Mapping[str, Limits] = field(default_factory=dict)
    """In place of the defaults, by full name in lower case."""
    users: Mapping[str, Limits] = field(default_factory=dict)
    """In place of those, by login in lower case."""
    most: Limits = NONE_GIVEN

    def decide(self, asked: Limits, login: str, full_name: str) -> Limits:
        """The limits of a session for which *asked* was given; INVALID when that is too much."""
        for name, most in asdict(self.most).items():
            wanted = getattr(asked, name)
            if most and wanted is not None and not 0 < wanted <= most:
                said = f"limits.{name} is {wanted:g}; this server allows {most:g} at the most."
                raise invalid(f"limits.{name}", said, "invalid")
        of_repository = self.repositories.get(full_name.lower(), NONE_GIVEN)
        own = asked.over(self.users.get(login.lower(), NONE_GIVEN))
        return own.over(of_repository).over(self.defaults).within(self.most)


class Meter:
    """What a session has used. Steps, tokens and money are counted anew when a user resumes it
    after they ran out; time is not."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.steps = 0
        self.tokens = 0
        self.nano_credits = 0
        self.told: Limit | None = None
        """The limit that the agent was told to come to an end for."""
        self._steps_since_told = 0
        self._told_at = 0.0
        self._last: datetime | None = None

    def apply(self, event: Event) -> None:
        self._tick(event)
        match event.type:
            case EventType.MESSAGE:
                self.steps += 1
                self._steps_since_told += 1
            case EventType.USAGE:
                self.tokens += event.data.get("inputTokens", 0) + event.data.get("outputTokens", 0)
                self.nano_credits += event.data.get("cost") or 0
            case EventType.USER_MESSAGE:
                self._hear(event.data)

    def worked(self, now: datetime) -> float:
        """Seconds of work until *now*."""
        running = 0.0 if self._last is None else (now - self._last).total_seconds()
        return self.seconds + max(0.0, running)

    def near(self, limits: Limits, now: datetime) -> Limit | None:
        """The limit that is so near that the agent should come to an end now."""
        seconds = limits.seconds
        if seconds and self.worked(now) >= seconds - limits.wrap_up_seconds:
            return Limit.TIME
        if limits.steps and self.steps + WRAP_UP_STEPS >= limits.steps:
            return Limit.STEPS
        if limits.tokens and self.tokens >= limits.tokens * (1 - WRAP_UP_PART):
            return Limit.TOKENS
        if limits.credits and self.nano_credits >= limits.credits * (1 - WRAP_UP_PART) * NANO:
            return Limit.CREDITS
        return None

    def exhausted(self, limits: Limits, now: datetime) -> Limit | None:
        """The limit that the agent was told of, once it has had its chance to come to an end."""
        if self.told is None:
            return None
        late = self.worked(now) - self._told_at >= limits.wrap_up_seconds
        many = self._steps_since_told >= WRAP_UP_STEPS
        over = self.told is Limit.STEPS and limits.steps is not None and self.steps >= limits.steps
        return self.told if late or many or over else None

    def seconds_left(self, limits: Limits, now: datetime) -> float | None:
        """Until the agent is to be told, or, once it was told, until it is stopped."""
        if self.told is not None:
            return max(0.0, self._told_at + limits.wrap_up_seconds - self.worked(now))
        if not limits.seconds:
            return None
        return max(0.0, limits.seconds - limits.wrap_up_seconds - self.worked(now))

    def _tick(self, event: Event) -> None:
        """Nobody worked before a start or a resume, nor after a state that is not at work."""
        begins = event.type in (EventType.SESSION_START, EventType.SESSION_RESUME)
        if self._last is not None and not begins:
            self.seconds += max(0.0, (event.created_at - self._last).total_seconds())
        if begins or self._last is not None:
            self._last = event.created_at
        if event.type is EventType.SESSION_STATE and event.data["state"] != "in_progress":
            self._last = None

    def _hear(self, data: dict[str, Any]) -> None:
        if data.get("source") == "limit":
            self.told = Limit(data["limit"])
            self._steps_since_told, self._told_at = 0, self.seconds
        elif self.told not in (None, Limit.TIME) and data.get("source") not in OURS:
            # Who speaks to a session that is out of its budget gives it another one.
            self.told = None
            self.steps = self.tokens = self.nano_credits = 0

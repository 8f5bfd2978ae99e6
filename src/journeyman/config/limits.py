"""How much a session may use: for everybody, in a repository, of a user, and at the most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

from journeyman.domain.errors import invalid
from journeyman.domain.limits import DEFAULTS, NONE_GIVEN, Allowance, Limits

Figures = dict[str, dict[str, float]]
"""Limits by their names, for each of whom a setting is."""
Most = Annotated[float, msgspec.Meta(ge=0)]
MostWhole = Annotated[int, msgspec.Meta(ge=0)]
_KINDS: dict[str, Callable[[float], float]] = {
    "minutes": float,
    "steps": int,
    "tokens": int,
    "credits": float,
}


@dataclass(frozen=True)
class SessionLimits:
    """The first four are those of domain.limits.Limits."""

    minutes: float | None = DEFAULTS.minutes
    steps: int | None = None
    tokens: int | None = None
    credits: float | None = None
    most_minutes: Most = 0
    """The most that may be asked for; 0: anything."""
    most_steps: MostWhole = 0
    most_tokens: MostWhole = 0
    most_credits: Most = 0
    repositories: Figures = field(default_factory=dict)
    """In place of the first four, by OWNER/NAME."""
    users: Figures = field(default_factory=dict)
    """In place of those, by login."""

    def __post_init__(self) -> None:
        assert self.allowance  # raises AppError for a figure that is none

    @property
    def allowance(self) -> Allowance:
        return Allowance(
            defaults=Limits(self.minutes, self.steps, self.tokens, self.credits),
            repositories=_given("limits.repositories", self.repositories),
            users=_given("limits.users", self.users),
            most=Limits(self.most_minutes, self.most_steps, self.most_tokens, self.most_credits),
        )


def _given(key: str, figures: Figures) -> dict[str, Limits]:
    for name, of_one in figures.items():
        for unknown in of_one.keys() - _KINDS.keys():
            said = f"{key}.{name} has {unknown!r}; it may have {', '.join(_KINDS)}."
            raise invalid(f"{key}.{name}", said, "invalid")
    return {name.lower(): _limits(of_one) for name, of_one in figures.items()}


def _limits(of_one: dict[str, float]) -> Limits:
    said = {name: kind(of_one[name]) for name, kind in _KINDS.items() if name in of_one}
    return Limits(**{"minutes": NONE_GIVEN.minutes, **said})  # type: ignore[arg-type]

"""How the work went over some days: numbers of tasks, times, money, workers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from journeyman.domain.sessions import State
from journeyman.domain.usage import Spent

MICROSECONDS = 1_000_000
GOOD = frozenset({State.COMPLETED})
BAD = frozenset({State.FAILED, State.TIMED_OUT})
"""Ends that are the agent's own; who cancels a task says nothing about it."""


@dataclass(frozen=True)
class Times:
    """How long something took: the middle one, and the one that nine in ten are no longer than."""

    count: int
    p50_seconds: float
    p90_seconds: float

    @classmethod
    def of(cls, microseconds: Iterable[int]) -> Times | None:
        """By the nearest rank; None of nothing."""
        known = sorted(microseconds)
        if not known:
            return None
        half, nine_tenths = (math.ceil(len(known) * part) - 1 for part in (0.5, 0.9))
        return cls(len(known), known[half] / MICROSECONDS, known[nine_tenths] / MICROSECONDS)


@dataclass(frozen=True)
class Day:
    """A day, in UTC. Tasks and sessions belong to the day on which they were asked for."""

    day: date
    states: Mapping[State, int]
    in_queue: Times | None
    to_completion: Times | None
    nano_credits: int


@dataclass(frozen=True)
class Share:
    """What was spent on one repository, by one user, or on one model."""

    name: str
    spent: Spent


@dataclass(frozen=True)
class Spending:
    by_repository: Sequence[Share]
    by_user: Sequence[Share]
    by_model: Sequence[Share]
    """Each with the greatest first, and no more than are worth a row."""
    total: Spent


@dataclass(frozen=True)
class WorkerLoad:
    """A worker that is alive, and the runs that it has taken."""

    id: str
    host: str
    pid: int
    running: int
    slots: int


@dataclass(frozen=True)
class Overview:
    days: Sequence[Day]
    """Every day of the range, oldest first, also those without anything."""
    in_queue: Times | None
    to_completion: Times | None
    spending: Spending
    workers: Sequence[WorkerLoad]
    queued: int
    """Sessions that wait for a worker now, of those that may be seen."""

    @property
    def states(self) -> Mapping[State, int]:
        return {state: sum(day.states.get(state, 0) for day in self.days) for state in State}

    @property
    def tasks(self) -> int:
        return sum(self.states.values())

    @property
    def success_rate(self) -> float | None:
        """Of the tasks that ended by themselves, from 0 to 1; None while there are none."""
        good = sum(self.states[state] for state in GOOD)
        ended = good + sum(self.states[state] for state in BAD)
        return good / ended if ended else None


def days_until(last: date, count: int) -> list[date]:
    """*count* days, the last of them *last*."""
    return [last - timedelta(days=back) for back in reversed(range(count))]

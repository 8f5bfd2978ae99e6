"""Sums over many tasks, of those repositories that a principal may read.

A day is a number of days since 1970, in UTC. Each statement reads one index from end to end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from journeyman.domain.overview import Share
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission
from journeyman.domain.sessions import State
from journeyman.domain.usage import Spent
from journeyman.store import browsing
from journeyman.store.columns import EPOCH
from journeyman.store.tables import account, repository, session, task, usage

DAY = sa.literal_column(str(86_400 * 1_000_000), sa.BigInteger)
"""In microseconds, as times are stored. No parameter, for two of those are two expressions to
PostgreSQL, which then cannot group by one and select the other."""
AMOUNTS = (
    sa.func.sum(usage.c.nano_credits),
    sa.func.sum(usage.c.input_tokens),
    sa.func.sum(usage.c.output_tokens),
)


@dataclass(frozen=True)
class Range:
    """What is looked at: since when, of whom, and of one repository only or of all."""

    principal: Principal
    since: datetime
    repository_id: int | None = None

    def holds(self, repository_id: sa.ColumnElement[int]) -> sa.ColumnElement[bool]:
        seen = sa.select(repository.c.id).where(browsing.reached(self.principal, Permission.READ))
        if self.repository_id is not None:
            seen = seen.where(repository.c.id == self.repository_id)
        # An expression, so that SQLite takes the index by time and not the one by repository.
        return (repository_id + 0).in_(seen)


def _day(at: sa.ColumnElement[datetime]) -> sa.ColumnElement[int]:
    return sa.type_coerce(at, sa.BigInteger) // DAY


def day_of(number: int) -> date:
    return date.fromordinal(EPOCH.toordinal() + number)


def states_by_day(tx: sa.Connection, within: Range) -> list[tuple[date, State, int]]:
    day = _day(task.c.created_at)
    rows = tx.execute(
        sa.select(day, task.c.state, sa.func.count())
        .where(task.c.created_at >= within.since, within.holds(task.c.repository_id))
        .group_by(day, task.c.state)
    )
    return [(day_of(number), State(state), count) for number, state, count in rows]


@dataclass(frozen=True)
class Took:
    """What the sessions of one day took, in microseconds and in no order."""

    day: date
    in_queue: list[int]
    """From being asked for to the start of the first run, of those that have started."""
    to_completion: list[int]
    """From being asked for to the end, of those that were completed."""


def times_by_day(tx: sa.Connection, within: Range) -> list[Took]:
    """Every single one: to sort them here is several times quicker than the window functions of
    SQLite, and to take a day's as one text than a row for each."""
    asked, began, ended = (
        sa.type_coerce(at, sa.BigInteger)
        for at in (session.c.created_at, session.c.started_at, session.c.completed_at)
    )
    completed = sa.case((session.c.state == State.COMPLETED, ended - asked))
    rows = tx.execute(
        sa.select(asked // DAY, _joined(began - asked), _joined(completed))
        .where(session.c.created_at >= within.since, within.holds(session.c.repository_id))
        .group_by(asked // DAY)
    )
    return [Took(day_of(day), _numbers(waits), _numbers(ends)) for day, waits, ends in rows]


def _joined(number: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    return sa.func.aggregate_strings(sa.cast(number, sa.Text), ",")


def _numbers(joined: str | None) -> list[int]:
    return list(map(int, joined.split(","))) if joined else []


def spent_by_day(tx: sa.Connection, within: Range) -> dict[date, int]:
    """Nano credits."""
    rows = tx.execute(
        sa.select(usage.c.day, AMOUNTS[0]).where(*_booked(within)).group_by(usage.c.day)
    )
    return {day: int(amount) for day, amount in rows}


def spent_by_repository(tx: sa.Connection, within: Range, most: int) -> list[Share]:
    name = account.c.login + "/" + repository.c.name
    joined = usage.join(repository, repository.c.id == usage.c.repository_id).join(
        account, account.c.id == repository.c.owner_id
    )
    return _shares(tx, within, name, joined, most)


def spent_by_user(tx: sa.Connection, within: Range, most: int) -> list[Share]:
    joined = usage.join(account, account.c.id == usage.c.user_id)
    return _shares(tx, within, account.c.login, joined, most)


def spent_by_model(tx: sa.Connection, within: Range, most: int) -> list[Share]:
    return _shares(tx, within, usage.c.model, usage, most)


def _shares(
    tx: sa.Connection,
    within: Range,
    name: sa.ColumnElement[str],
    joined: sa.FromClause,
    most: int,
) -> list[Share]:
    rows = tx.execute(
        sa.select(name, *AMOUNTS)
        .select_from(joined)
        .where(*_booked(within))
        .group_by(name)
        .order_by(AMOUNTS[0].desc(), AMOUNTS[2].desc(), name)
        .limit(most)
    )
    return [Share(named, Spent("", *map(int, amounts))) for named, *amounts in rows]


def spent(tx: sa.Connection, within: Range) -> Spent:
    amounts = tx.execute(sa.select(*AMOUNTS).where(*_booked(within))).one()
    return Spent("", *(int(amount or 0) for amount in amounts))


def _booked(within: Range) -> tuple[sa.ColumnElement[bool], ...]:
    return usage.c.day >= within.since.date(), within.holds(usage.c.repository_id)


def queued(tx: sa.Connection, within: Range) -> int:
    """Sessions that wait for a worker now."""
    waiting = sa.select(sa.func.count()).where(
        session.c.state == State.QUEUED, within.holds(session.c.repository_id)
    )
    return tx.scalar(waiting) or 0

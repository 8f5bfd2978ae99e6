"""How much a session has used, and when that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from journeyman.domain.errors import AppError
from journeyman.domain.events import Event, EventType
from journeyman.domain.limits import NONE_GIVEN, Allowance, Limit, Limits, Meter

START = datetime(2026, 1, 2, tzinfo=UTC)

Entry = tuple[float, EventType, dict[str, Any]]
BEGUN: Entry = (0, EventType.SESSION_START, {})
USED = {"inputTokens": 60, "outputTokens": 40, "cost": 1_000_000_000}


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def meter(*entries: Entry) -> Meter:
    made = Meter()
    for seq, (seconds, kind, data) in enumerate(entries, 1):
        made.apply(Event("s", 1, seq, kind, at(seconds), data))
    return made


def reply(seconds: float) -> Entry:
    return (seconds, EventType.MESSAGE, {})


def state(seconds: float, name: str) -> Entry:
    return (seconds, EventType.SESSION_STATE, {"state": name})


def told(seconds: float, limit: Limit) -> Entry:
    return (seconds, EventType.USER_MESSAGE, {"source": "limit", "limit": limit.value})


def said(seconds: float) -> Entry:
    return (seconds, EventType.USER_MESSAGE, {"source": "steer"})


@pytest.mark.parametrize(
    ("entries", "now", "worked"),
    [
        ([], 50, 0),
        ([BEGUN], 50, 50),
        ([BEGUN, reply(20), state(30, "waiting_for_user")], 500, 30),
        ([BEGUN, state(30, "waiting_for_user"), state(90, "queued")], 500, 30),
        ([BEGUN, state(30, "idle"), (100, EventType.SESSION_RESUME, {}), reply(110)], 120, 50),
        # A worker was killed after 20 s; the next one came at 100 s.
        ([BEGUN, reply(20), (100, EventType.SESSION_RESUME, {})], 105, 25),
    ],
)
def test_only_work_counts_as_time(entries: Sequence[Entry], now: float, worked: float) -> None:
    assert meter(*entries).worked(at(now)) == worked


@pytest.mark.parametrize(
    ("limits", "entries", "near"),
    [
        (Limits(), [BEGUN], None),
        (Limits(minutes=10), [BEGUN, reply(539)], None),
        (Limits(minutes=10), [BEGUN, reply(540)], Limit.TIME),
        (Limits(minutes=0), [BEGUN, reply(10**6)], None),
        (Limits(minutes=59), [BEGUN, reply(59 * 60 - 301)], None),
        (Limits(minutes=59), [BEGUN, reply(59 * 60 - 300)], Limit.TIME),
        (Limits(steps=5), [BEGUN, reply(1)], None),
        (Limits(steps=5), [BEGUN, reply(1), reply(2)], Limit.STEPS),
        (Limits(steps=1), [BEGUN], Limit.STEPS),
        (Limits(tokens=112), [BEGUN, (1, EventType.USAGE, USED)], None),
        (Limits(tokens=111), [BEGUN, (1, EventType.USAGE, USED)], Limit.TOKENS),
        (Limits(credits=1.2), [BEGUN, (1, EventType.USAGE, USED)], None),
        (Limits(credits=1.1), [BEGUN, (1, EventType.USAGE, USED)], Limit.CREDITS),
        (Limits(credits=1), [BEGUN, (1, EventType.USAGE, {**USED, "cost": None})], None),
    ],
)
def test_a_limit_is_near_while_there_is_time_to_come_to_an_end(
    limits: Limits, entries: Sequence[Entry], near: Limit | None
) -> None:
    made = meter(*entries)
    assert made.near(limits, at(entries[-1][0])) is near
    assert made.exhausted(limits, at(10**9)) is None


@pytest.mark.parametrize(
    ("limits", "entries", "now", "exhausted"),
    [
        (Limits(minutes=10), [BEGUN, told(540, Limit.TIME)], 599, None),
        (Limits(minutes=10), [BEGUN, told(540, Limit.TIME)], 600, Limit.TIME),
        (Limits(), [BEGUN, told(1, Limit.TOKENS), reply(2), reply(3)], 4, None),
        (Limits(), [BEGUN, told(1, Limit.TOKENS), *map(reply, (2, 3, 4))], 5, Limit.TOKENS),
        (Limits(steps=2), [BEGUN, told(1, Limit.STEPS), reply(2)], 3, None),
        (Limits(steps=2), [BEGUN, told(1, Limit.STEPS), reply(2), reply(3)], 4, Limit.STEPS),
    ],
)
def test_who_was_told_has_a_last_chance(
    limits: Limits, entries: Sequence[Entry], now: float, exhausted: Limit | None
) -> None:
    assert meter(*entries).exhausted(limits, at(now)) is exhausted


@pytest.mark.parametrize("source", ["agent", "hooks", "checks"])
def test_only_a_user_gives_a_session_another_budget(source: str) -> None:
    given = (4, EventType.USER_MESSAGE, {"source": source})
    made = meter(BEGUN, reply(1), reply(2), told(3, Limit.STEPS), given)
    assert (made.told, made.steps) == (Limit.STEPS, 2)


def test_who_speaks_to_a_session_out_of_budget_gives_it_another_one() -> None:
    made = meter(BEGUN, reply(1), reply(2), told(3, Limit.STEPS), state(4, "idle"), said(5))
    assert (made.told, made.steps, made.near(Limits(steps=5), at(5))) == (None, 0, None)


def test_time_does_not_come_back() -> None:
    made = meter(BEGUN, told(540, Limit.TIME), said(541))
    assert made.exhausted(Limits(minutes=10), at(600)) is Limit.TIME


def test_a_turn_may_last_until_the_next_thing_is_due() -> None:
    limits = Limits(minutes=10)
    assert meter(BEGUN, reply(40)).seconds_left(limits, at(40)) == 500
    assert meter(BEGUN, told(540, Limit.TIME)).seconds_left(limits, at(550)) == 50
    assert meter(BEGUN, told(540, Limit.TIME)).seconds_left(limits, at(999)) == 0
    assert meter(BEGUN).seconds_left(Limits(minutes=0), at(5)) is None


def test_what_a_task_does_not_say_is_the_servers() -> None:
    asked = Limits(minutes=None, steps=10, credits=0)
    assert asked.over(Limits(minutes=59, steps=5, tokens=7, credits=3)) == Limits(59, 10, 7, 0)


@pytest.mark.parametrize("name", ["minutes", "steps", "tokens", "credits"])
@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_a_limit_is_a_number_from_0_on(name: str, value: float) -> None:
    with pytest.raises(AppError) as refused:
        Limits(**{name: value})  # type: ignore[arg-type]
    assert [error.field for error in refused.value.fields] == [f"limits.{name}"]


ALLOWANCE = Allowance(
    defaults=Limits(minutes=59, credits=9),
    repositories={"alice/big": Limits(minutes=90, steps=7)},
    users={"bob": Limits(minutes=None, steps=3)},
    most=Limits(minutes=60, tokens=1000),
)


@pytest.mark.parametrize(
    ("asked", "login", "repository", "expected"),
    [
        (NONE_GIVEN, "alice", "alice/small", Limits(59, None, 1000, 9)),
        (NONE_GIVEN, "alice", "Alice/Big", Limits(60, 7, 1000, 9)),
        (NONE_GIVEN, "Bob", "alice/big", Limits(60, 3, 1000, 9)),
        (Limits(minutes=5, steps=0), "bob", "alice/big", Limits(5, 0, 1000, 9)),
    ],
)
def test_who_asks_is_above_the_user_above_the_repository_above_the_server(
    asked: Limits, login: str, repository: str, expected: Limits
) -> None:
    assert ALLOWANCE.decide(asked, login, repository) == expected


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (Limits(minutes=61), "limits.minutes is 61; this server allows 60 at the most."),
        (Limits(minutes=0), "limits.minutes is 0; this server allows 60 at the most."),
        (Limits(minutes=5, tokens=1001), "limits.tokens is 1001; this server allows 1000"),
    ],
)
def test_more_than_the_most_is_refused(asked: Limits, told: str) -> None:
    with pytest.raises(AppError, match=told):
        ALLOWANCE.decide(asked, "alice", "alice/small")

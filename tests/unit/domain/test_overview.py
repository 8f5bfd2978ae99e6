from datetime import date

from journeyman.domain.overview import Day, Overview, Spending, Times, days_until
from journeyman.domain.sessions import State
from journeyman.domain.usage import Spent


def test_times_are_told_by_the_nearest_rank() -> None:
    assert Times.of([]) is None
    assert Times.of([3_000_000]) == Times(1, 3.0, 3.0)
    assert Times.of(range(10_000_000, 0, -1_000_000)) == Times(10, 5.0, 9.0)


def test_the_days_of_a_range_are_all_there() -> None:
    assert days_until(date(2026, 3, 1), 3) == [
        date(2026, 2, 27),
        date(2026, 2, 28),
        date(2026, 3, 1),
    ]


def overview(**states: int) -> Overview:
    day = Day(date(2026, 3, 1), {State(name): n for name, n in states.items()}, None, None, 0)
    return Overview([day], None, None, Spending([], [], [], Spent("", 0, 0, 0)), [], 0)


def test_who_cancels_a_task_says_nothing_about_the_agent() -> None:
    assert overview(completed=3, failed=1, cancelled=5, queued=2).success_rate == 0.75
    assert overview(completed=1, timed_out=1).success_rate == 0.5
    assert overview(cancelled=5).success_rate is None


def test_a_usage_that_says_nothing_is_not_booked() -> None:
    assert Spent.of({"cost": 0, "inputTokens": 0, "outputTokens": None}) is None
    assert Spent.of({"model": "m", "cost": None, "inputTokens": 1}) == Spent("m", 0, 1, 0)

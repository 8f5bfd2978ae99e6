"""Windows of an hour and bursts of writes."""

from __future__ import annotations

from journeyman.api import ratelimit
from journeyman.api.ratelimit import HOUR, Limits, RateOptions, Window


class Clock:
    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def spend(limits: Limits, key: str, limit: int) -> Window:
    window = limits.spend(key, limit)
    assert window is not None
    return window


def test_a_window_counts_down_and_starts_anew() -> None:
    clock = Clock()
    limits = Limits(RateOptions(), clock)
    first = spend(limits, "user:1", 2)
    assert (first.remaining, first.exceeded) == (1, False)
    assert clock.now < first.resets_at <= clock.now + HOUR
    assert spend(limits, "user:1", 2).remaining == 0
    assert spend(limits, "user:1", 2).exceeded
    clock.now = first.resets_at
    assert spend(limits, "user:1", 2).used == 1


def test_users_do_not_share_a_window() -> None:
    limits = Limits(RateOptions(), Clock())
    spend(limits, "user:1", 1)
    assert not spend(limits, "user:2", 1).exceeded


def test_what_is_over_the_limit_does_not_add_up() -> None:
    """A refund after a 304 must not open a window that is far over its limit."""
    limits = Limits(RateOptions(), Clock())
    for _ in range(10):
        window = spend(limits, "user:1", 3)
    assert (window.used, window.remaining) == (4, 0)


def test_a_restart_does_not_move_the_reset() -> None:
    clock = Clock()
    before = spend(Limits(RateOptions(), clock), "user:7", 5).resets_at
    clock.now += 60
    assert spend(Limits(RateOptions(), clock), "user:7", 5).resets_at in (before, before + HOUR)


def test_zero_is_unlimited() -> None:
    limits = Limits(RateOptions(writes_per_minute=0), Clock())
    assert limits.spend("user:1", 0) is None
    assert {limits.seconds_to_write("user:1") for _ in range(500)} == {0}


def test_a_burst_of_writes_has_to_wait_and_then_goes_on() -> None:
    clock = Clock()
    limits = Limits(RateOptions(writes_per_minute=80), clock)
    assert [limits.seconds_to_write("user:1") for _ in range(80)] == [0] * 80
    wait = limits.seconds_to_write("user:1")
    assert wait == 1
    assert limits.seconds_to_write("user:2") == 0
    clock.now += wait
    assert limits.seconds_to_write("user:1") == 0


def test_callers_whose_time_is_over_are_forgotten() -> None:
    clock = Clock()
    limits = Limits(RateOptions(), clock)
    for number in range(ratelimit.KEPT):
        limits.spend(f"address:{number}", 60)
        limits.seconds_to_write(f"user:{number}")
    clock.now += HOUR
    limits.spend("address:new", 60)
    assert len(limits.windows) == 1
    assert len(limits.buckets) == 0

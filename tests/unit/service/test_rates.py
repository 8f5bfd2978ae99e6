"""What callers have used of their hour, over a restart and between processes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from journeyman.api import ratelimit
from journeyman.api.ratelimit import HOUR, Limits, RateOptions, keeping
from journeyman.domain.errors import DatabaseLost
from journeyman.domain.rates import Used
from journeyman.service import rounds
from journeyman.service.rates import Rates
from tests.conftest import EACH_DATABASE, World
from tests.unit.api.test_ratelimit import Clock, spend


def used(limits: Limits, key: str) -> int:
    window = limits.window(key, 100)
    assert window is not None
    return window.used


@EACH_DATABASE
async def test_a_restart_forgets_nothing(world: World) -> None:
    clock = Clock()
    rates = Rates(world.parts.database, clock=clock)
    async with keeping(Limits(RateOptions(), clock), rates) as before:
        for key in ("user:2", "user:1", "user:1"):
            spend(before, key, 100)
        spend(before, "user:2", 100).count(-1)
    async with keeping(Limits(RateOptions(), clock), rates) as after:
        assert spend(after, "user:1", 3).remaining == 0
        assert spend(after, "user:1", 3).exceeded
        assert [used(after, key) for key in ("user:2", "user:3")] == [1, 0]


@EACH_DATABASE
async def test_an_hour_later_callers_start_anew_and_the_rows_are_gone(world: World) -> None:
    clock = Clock()
    rates = Rates(world.parts.database, clock=clock)
    async with keeping(Limits(RateOptions(), clock), rates) as before:
        spend(before, "user:1", 100)
        spend(before, "address:::1", 100)
    clock.now += HOUR
    async with keeping(Limits(RateOptions(), clock), rates) as after:
        assert spend(after, "user:1", 100).used == 1
    clock.now -= HOUR
    assert list(await rates.all()) == ["user:1"]


@EACH_DATABASE
async def test_processes_count_together(world: World) -> None:
    clock = Clock()
    rates = Rates(world.parts.database, clock=clock)
    one, other = Limits(RateOptions(), clock), Limits(RateOptions(), clock)
    for limits in (one, other, other):
        spend(limits, "user:1", 100)
    one.learn(await rates.add(one.unkept()))
    other.learn(await rates.add(other.unkept()))
    assert (used(one, "user:1"), used(other, "user:1")) == (1, 3)
    spend(one, "user:1", 100)
    one.learn(await rates.add(one.unkept()))
    assert used(one, "user:1") == 4
    assert (await rates.all())["user:1"].used == 4


@EACH_DATABASE
async def test_what_comes_late_of_a_former_hour_takes_nothing_from_the_new_one(
    world: World,
) -> None:
    rates = Rates(world.parts.database, clock=Clock())
    now = int(Clock().now)
    await rates.add({"user:1": Used(now + 2 * HOUR, 7)})
    late = await rates.add({"user:1": Used(now + HOUR, 1)})
    assert late == {"user:1": Used(now + 2 * HOUR, 7)}


class FailsOnce:
    """Something is wrong the first time that something is to be kept."""

    def __init__(self, rates: Rates, error: Exception) -> None:
        self._rates = rates
        self._error = error
        self.lost = 0

    async def all(self) -> Mapping[str, Used]:
        return await self._rates.all()

    async def add(self, used: Mapping[str, Used]) -> Mapping[str, Used]:
        if not self.lost:
            self.lost += 1
            raise self._error
        return await self._rates.add(used)


async def test_what_could_not_be_kept_is_kept_the_next_time(world: World) -> None:
    clock = Clock()
    keeper = FailsOnce(Rates(world.parts.database, clock=clock), DatabaseLost("refused"))
    limits = Limits(RateOptions(), clock)
    for _ in range(2):
        async with keeping(limits, keeper):
            spend(limits, "user:1", 100)
    assert keeper.lost == 1
    assert (await keeper.all())["user:1"].used == 2


async def test_a_process_that_is_killed_has_kept_them(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "KEEP_SECONDS", 0.01)
    clock = Clock()
    rates = Rates(world.parts.database, clock=clock)
    async with keeping(Limits(RateOptions(), clock), rates) as limits:
        spend(limits, "user:1", 100)
        async with asyncio.timeout(10):
            while "user:1" not in await rates.all():
                await asyncio.sleep(0.01)


async def test_a_bug_does_not_end_the_keeping(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "KEEP_SECONDS", 0.01)
    monkeypatch.setattr(rounds.every, "__kwdefaults__", {"after_a_bug": 0.01})
    clock = Clock()
    keeper = FailsOnce(Rates(world.parts.database, clock=clock), ValueError("a bug"))
    async with keeping(Limits(RateOptions(), clock), keeper) as limits, asyncio.timeout(10):
        while "user:1" not in await keeper.all():
            spend(limits, "user:1", 100)
            await asyncio.sleep(0.01)
    assert keeper.lost == 1


async def test_what_was_being_kept_at_the_end_is_counted_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ratelimit, "KEEP_SECONDS", 0.01)
    clock, adding = Clock(), asyncio.Event()

    class Slow(Rates):
        async def add(self, used: Mapping[str, Used]) -> Mapping[str, Used]:
            adding.set()
            return await super().add(used)

    rates = Slow(world.parts.database, clock=clock)
    async with keeping(Limits(RateOptions(), clock), rates) as limits:
        spend(limits, "user:1", 100)
        await adding.wait()
    assert (await rates.all())["user:1"].used == 1

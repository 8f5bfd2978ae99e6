"""How the work went over some days, for one who may see it. Changes nothing."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from datetime import UTC, date, datetime, time
from itertools import chain

from sqlalchemy import Connection

from journeyman.domain.overview import Day, Overview, Spending, Times, WorkerLoad, days_until
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import State
from journeyman.engine.liveness import Heartbeats
from journeyman.engine.queue import Queue
from journeyman.service.clock import Clock, utc_now
from journeyman.service.reach import Reach
from journeyman.store import overview
from journeyman.store.database import Database, reachable
from journeyman.store.overview import Range

MOST_SHARES = 10


class Overviews:
    def __init__(
        self,
        database: Database,
        queue: Queue,
        reach: Reach | None = None,
        *,
        clock: Clock = utc_now,
    ) -> None:
        """*reach*: asks what a principal may do, where another forge knows it."""
        self._database = database
        self._reach = reach
        self._queue = queue
        self._heartbeats = Heartbeats(database.engine)
        self._clock = clock

    async def look(
        self, principal: Principal, days: int, repository: Repository | None = None
    ) -> Overview:
        """The last *days* days, today's included, in the repositories that *principal* may read."""
        shown = days_until(self._clock().date(), days)
        since = datetime.combine(shown[0], time(), UTC)
        within = Range(principal, since, repository.id if repository else None)
        if self._reach is not None:
            await self._reach.everywhere(principal)
        workers = await asyncio.to_thread(self._workers)
        return await self._database.survey(lambda tx: _overview(tx, within, shown, workers))

    def _workers(self) -> list[WorkerLoad]:
        with reachable():
            alive = self._heartbeats.live()
        running = self._queue.running()
        return [
            WorkerLoad(one.executor_id, one.host, one.pid, running[one.executor_id], one.slots)
            for one in alive
        ]


def _overview(
    tx: Connection, within: Range, shown: list[date], workers: list[WorkerLoad]
) -> Overview:
    states: dict[date, dict[State, int]] = defaultdict(dict)
    for day, state, count in overview.states_by_day(tx, within):
        states[day][state] = count
    took = {one.day: one for one in overview.times_by_day(tx, within)}
    costs = overview.spent_by_day(tx, within)
    return Overview(
        days=[
            Day(
                day,
                states[day],
                Times.of(took[day].in_queue) if day in took else None,
                Times.of(took[day].to_completion) if day in took else None,
                costs.get(day, 0),
            )
            for day in shown
        ],
        in_queue=Times.of(chain.from_iterable(one.in_queue for one in took.values())),
        to_completion=Times.of(chain.from_iterable(one.to_completion for one in took.values())),
        spending=Spending(
            by_repository=overview.spent_by_repository(tx, within, MOST_SHARES),
            by_user=overview.spent_by_user(tx, within, MOST_SHARES),
            by_model=overview.spent_by_model(tx, within, MOST_SHARES),
            total=overview.spent(tx, within),
        ),
        workers=workers,
        queued=overview.queued(tx, within),
    )

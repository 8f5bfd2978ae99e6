"""What was told about a forge: kept once, and claimed by whoever handles or answers it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import IntegrityError

from journeyman.domain.triggers import Happening, Kind, Rules, Stage, Trigger, thread_of
from journeyman.service.clock import Clock, utc_now
from journeyman.store import triggers
from journeyman.store.database import Database

log = structlog.get_logger()

GATHER = timedelta(seconds=5)
"""What is said in one thread within this time is one request."""
SETTLE = timedelta(seconds=30)
"""Checks end one after another, and a branch that moves may move on."""
MOST_WAITING = 100
"""In one thread; more is left out."""
CLAIM = timedelta(minutes=5)
"""Longer than handling or answering can take."""
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(minutes=30)
MOST_ATTEMPTS = 60
"""About a day."""
GIVEN_UP = "This was tried for about a day, and is given up. Ask again to have it tried anew."


class Triggers:
    def __init__(self, database: Database, rules: Rules, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._rules = rules
        self._clock = clock

    async def take(self, told: Sequence[Happening]) -> int:
        """Keep what asks for work and is not known yet; how many that were."""
        wanted = [one for one in told if self._rules.concern(one)]
        if not wanted:
            return 0
        now = self._clock()

        def add(tx: Connection) -> int:
            return sum(_add(tx, one, now) for one in wanted)

        try:
            return await self._database.write(add)
        except IntegrityError:
            # Told twice at once: the second attempt finds what the first has written.
            return await self._database.write(add)

    async def claim(self, most: int) -> list[Sequence[Trigger]]:
        """Threads with something to handle, by all that waits there."""
        now = self._clock()
        if not await self._database.read(lambda tx: triggers.due_threads(tx, now, most)):
            return []

        def claim(tx: Connection) -> list[Sequence[Trigger]]:
            threads = triggers.due_threads(tx, now, most)
            claimed = (triggers.claim_thread(tx, one, now, now + CLAIM) for one in threads)
            return [some for some in claimed if some]

        return await self._database.write(claim)

    async def claim_answers(self, most: int) -> Sequence[Trigger]:
        """Those whose asker is to be told something."""
        now = self._clock()
        if not await self._database.read(lambda tx: triggers.due_answers(tx, now, most)):
            return []
        return await self._database.write(
            lambda tx: triggers.claim_answers(tx, now, now + CLAIM, most)
        )

    async def settle(self, handled: Sequence[Trigger], stage: Stage, reason: str) -> None:
        now, ids = self._clock(), [one.id for one in handled]
        await self._database.write(
            lambda tx: triggers.settle(tx, ids, stage, now, reason=reason[:1000])
        )

    async def hold(self, waiting: Sequence[Trigger], until: datetime, reason: str) -> None:
        """To be handled at *until*, however often something else is said there before."""
        ids = [one.id for one in waiting]
        log.info("trigger.held", trigger_ids=ids, until=until.isoformat(), reason=reason)
        await self._database.write(lambda tx: triggers.hold(tx, ids, until))

    async def put_off(self, failed: Sequence[Trigger], reason: str) -> None:
        """To be tried again after a wait that grows, a limited number of times. Whoever asked is
        told of the end of that."""
        now = self._clock()

        def put_off(tx: Connection) -> None:
            for one in failed:
                told = {"trigger_id": one.id, "attempts": one.attempts + 1, "reason": reason}
                if one.attempts + 1 < MOST_ATTEMPTS:
                    log.warning("trigger.put_off", **told)
                    triggers.put_off(tx, one.id, now + wait_after(one.attempts))
                else:
                    log.error("trigger.given_up", **told)
                    _give_up(tx, one, now, reason)

        await self._database.write(put_off)


def wait_after(attempts: int) -> timedelta:
    return min(FIRST_WAIT * (1 << min(attempts, 12)), LONGEST_WAIT)


def _give_up(tx: Connection, one: Trigger, now: datetime, reason: str) -> None:
    if one.stage is Stage.WAITING and one.happening.by is not None:
        told = f"{reason[:800]} {GIVEN_UP}"
        triggers.settle(tx, [one.id], Stage.REFUSED, now, reason=told)
    else:
        triggers.note_answer(tx, [one.id], Stage.FAILED, now, reason[:1000])


def _add(tx: Connection, told: Happening, now: datetime) -> bool:
    if triggers.count_waiting(tx, thread_of(told)) >= MOST_WAITING:
        log.warning("trigger.left_out", thread=thread_of(told), key=told.key)
        return False
    wait = SETTLE if told.kind in (Kind.CHECKS, Kind.CONFLICT) else GATHER
    return triggers.add(tx, told, now, now + wait)

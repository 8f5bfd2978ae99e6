"""Sessions that rest because the forge could not be reached: they are tried again by themselves.

They keep their files, their conversation and, once the agent has ended, its end: the next run has
nothing left to do but what failed.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from journeyman.domain.sessions import Reason, Run, State
from journeyman.engine.queue import Queue
from journeyman.service.changes import Changes
from journeyman.service.clock import Clock, utc_now
from journeyman.service.live import Live
from journeyman.service.queueing import enqueue_again
from journeyman.store import events, sessions
from journeyman.store.database import Database

REASONS = (Reason.PUSH_PENDING, Reason.REPOSITORY_UNAVAILABLE)
FIRST_WAIT = timedelta(seconds=10)
LONGEST_WAIT = timedelta(hours=1)
LONGEST = timedelta(days=1)
"""After that a session fails; what it has kept stays in its patch."""
GIVEN_UP = "The repository could not be reached for a day. What was kept is in the patch."


class Parked:
    def __init__(
        self,
        database: Database,
        queue: Queue,
        live: Live,
        changes: Changes,
        *,
        clock: Clock = utc_now,
    ) -> None:
        self._database = database
        self._queue = queue
        self._live = live
        self._changes = changes
        self._clock = clock
        self._due: dict[Run, datetime] = {}
        """When those that rest are to be looked at again."""

    async def retry(self) -> None:
        """Queue those that have waited long enough, and give up those that have waited too long."""
        resting = await self._database.read(lambda tx: sessions.idle_for(tx, REASONS))
        self._due = {run: self._due[run] for run in resting if run in self._due}
        for run in resting:
            if self._due.get(run, self._clock()) > self._clock():
                continue
            retried = partial(self._retry, session_id=run.session_id)
            self._due[run] = await self._database.write(retried)
            self._live.notify(run.task_id)

    def _retry(self, tx: Connection, session_id: str) -> datetime:
        """When to look again, if it still rests then."""
        session, now = sessions.lock_session(tx, session_id), self._clock()
        if session.state is not State.IDLE or session.state_reason not in REASONS:
            return now
        parked = events.times_parked(tx, session_id, session.state_reason)
        if now - parked[0] >= LONGEST:
            self._changes.state(
                tx, session, State.FAILED, now, reason=session.state_reason, message=GIVEN_UP
            )
        elif now >= due(parked):
            enqueue_again(self._queue, self._changes, tx, session, now)
        return due(parked)


def due(parked: list[datetime]) -> datetime:
    """When to try again after having come to rest at each of *parked*."""
    wait = FIRST_WAIT * (1 << min(len(parked) - 1, 10))
    return parked[-1] + min(wait, LONGEST_WAIT)

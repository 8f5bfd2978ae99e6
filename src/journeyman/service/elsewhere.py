"""Finds out what other processes have appended to the tasks that are watched in this one.

One question for all of them, whatever their number: cheap enough to be asked often, on either
database, and without a connection that has to be kept open.
"""

from __future__ import annotations

from journeyman.service import rounds
from journeyman.service.live import Live
from journeyman.store import events
from journeyman.store.database import Database

EVERY_SECONDS = 0.1
"""How late an event of another process's worker may be seen."""


class Elsewhere:
    def __init__(self, database: Database, live: Live) -> None:
        self._database = database
        self._live = live
        self._seen: dict[str, int] = {}

    async def run(self) -> None:
        """Until cancelled."""
        await rounds.every(EVERY_SECONDS, self.look, "elsewhere")

    async def look(self) -> None:
        watched = self._live.watched
        if not watched:
            self._seen.clear()
            return
        found = await self._database.read(lambda tx: events.lengths(tx, watched))
        for task_id, length in found.items():
            if self._seen.get(task_id) != length:
                self._live.notify(task_id)
        self._seen = found

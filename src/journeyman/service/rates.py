"""Keeps what callers have used of their hour, so that a restart forgets nothing and the processes
of one database count together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from sqlalchemy import Connection

from journeyman.domain.rates import Used
from journeyman.store import rates
from journeyman.store.database import Database


class Rates:
    def __init__(self, database: Database, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._clock = clock

    async def all(self) -> Mapping[str, Used]:
        """By caller. Raises DatabaseLost."""
        now = self._clock()
        return await self._database.read(lambda tx: rates.find(tx, None, now))

    async def add(self, used: Mapping[str, Used]) -> Mapping[str, Used]:
        """What these callers have used by now, in all processes. Raises DatabaseLost; nothing is
        kept then."""
        now = self._clock()

        def add(tx: Connection) -> Mapping[str, Used]:
            rates.forget(tx, now)
            rates.add(tx, used)
            return rates.find(tx, used.keys(), now)

        return await self._database.write(add)

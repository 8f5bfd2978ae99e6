"""The outlines of logs, kept between two looks: only what has come since is read again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from journeyman.domain.browsing import Mark
from journeyman.domain.principals import Principal
from journeyman.domain.queries import Cursor
from journeyman.service.browsing import Browsing

MOST_KEPT = 50_000
"""Marks of all tasks together; those of the task that was looked at longest ago go first."""


class Outlines:
    def __init__(self, browsing: Browsing) -> None:
        self._browsing = browsing
        self._kept: OrderedDict[str, list[Mark]] = OrderedDict()

    async def of(self, principal: Principal, task_id: str) -> Sequence[Mark]:
        """NOT_FOUND when *principal* may not see the task."""
        known = self._kept.get(task_id, [])
        after = known[-1].cursor if known else Cursor()
        found = await self._browsing.outline(principal, task_id, after)
        current = self._kept.setdefault(task_id, [])
        last = current[-1].cursor if current else Cursor()
        current += [mark for mark in found if mark.cursor > last]
        self._kept.move_to_end(task_id)
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > MOST_KEPT:
            self._kept.popitem(last=False)
        return current

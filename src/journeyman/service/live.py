"""Who is watching which task in this process: wakes them, and hands them what is never stored.

A hint only: the log in the store is the truth, and watchers look at it from time to time anyway.
What another process's worker appends is found by `Elsewhere`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from journeyman.domain.events import Event, NewEvent
from journeyman.service.passing import Passing

BACKLOG = 1000
"""Ephemeral entries kept for one slow watcher; older ones are dropped, since the stored event
repeats them."""


class Watcher:
    """One reader of one task."""

    def __init__(self, told: Iterable[NewEvent] = ()) -> None:
        self._changed = asyncio.Event()
        self._pending: deque[NewEvent] = deque(told, maxlen=BACKLOG)

    def wake(self) -> None:
        self._changed.set()

    def push(self, entry: NewEvent) -> None:
        self._pending.append(entry)
        self._changed.set()

    def take(self) -> list[NewEvent]:
        """What came since the last call."""
        taken = list(self._pending)
        self._pending.clear()
        return taken

    async def wait(self, seconds: float) -> None:
        """Until something happens, *seconds* at the most."""
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()


class Live:
    def __init__(self) -> None:
        self._watchers: defaultdict[str, set[Watcher]] = defaultdict(set)
        self._passing = Passing()

    @contextmanager
    def watch(self, task_id: str, *, from_the_start: bool = False) -> Iterator[Watcher]:
        """*from_the_start*: with what was told in passing before, as far as it is kept."""
        watcher = Watcher(self._passing.told(task_id) if from_the_start else ())
        self._watchers[task_id].add(watcher)
        try:
            yield watcher
        finally:
            self._watchers[task_id].discard(watcher)
            if not self._watchers[task_id]:
                del self._watchers[task_id]

    @property
    def watched(self) -> list[str]:
        """The tasks that somebody watches."""
        return list(self._watchers)

    def notify(self, task_id: str) -> None:
        """The task's log has grown."""
        for watcher in self._watchers.get(task_id, ()):
            watcher.wake()

    def stored(self, task_id: str, made: Sequence[Event]) -> None:
        """The task's log has grown by *made*."""
        self._passing.settle(task_id, made)
        self.notify(task_id)

    def ended(self, task_id: str) -> None:
        """Nobody works on the task any more."""
        self._passing.forget(task_id)
        self.notify(task_id)

    def publish(self, task_id: str, entry: NewEvent) -> None:
        """Show *entry* to those who watch; it is never stored."""
        self._passing.add(task_id, entry)
        for watcher in self._watchers.get(task_id, ()):
            watcher.push(entry)

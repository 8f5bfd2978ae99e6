"""What was asked for lately, by key: who asks for the same meanwhile waits for the same answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

MOST = 10_000
"""Answers kept; the oldest go first."""


class Lately(Generic[K, V]):
    """*fresh_seconds* says how long an answer is good; one that failed is not kept."""

    def __init__(
        self,
        fresh_seconds: Callable[[V], float],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._clock = clock
        self._answers: dict[K, tuple[V, float]] = {}
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def get(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        answer = self._answers.get(key)
        if answer is not None and self._clock() < answer[1]:
            return answer[0]
        flight = self._flights.get(key)
        if flight is None:
            flight = asyncio.ensure_future(self._fly(key, ask))
            self._flights[key] = flight
            flight.add_done_callback(_seen)
        # Whoever goes away must not end it for those who wait too.
        return await asyncio.shield(flight)

    def stale(self, key: K) -> V | None:
        """The last answer, however old."""
        answer = self._answers.get(key)
        return None if answer is None else answer[0]

    async def _fly(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        try:
            found = await ask()
            self._answers.pop(key, None)
            self._answers[key] = found, self._clock() + self._fresh_seconds(found)
            if len(self._answers) > MOST:
                del self._answers[next(iter(self._answers))]
            return found
        finally:
            del self._flights[key]


def _seen(flight: asyncio.Task[V]) -> None:
    """All who asked may be gone when it fails; then nobody is left to be told."""
    if not flight.cancelled():
        flight.exception()

"""How much one caller may ask for: a window of an hour, and a bucket for bursts of writes.

Windows are counted in this process and added up with what is kept every few seconds, for other
processes and for the next start; buckets, a minute long, are this process's. The ends of a caller's
windows depend on its key alone, so a restart never moves the reset that a client waits for. Knows
nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import math
import time
import zlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Protocol

import msgspec
import structlog

from journeyman.domain.errors import DatabaseLost
from journeyman.domain.rates import Used
from journeyman.service import rounds

log = structlog.get_logger()

HOUR = 3600
MINUTE = 60
KEEP_SECONDS = 5.0
"""How much a process that is killed may forget, and how late it hears of others."""
KEPT = 10_000
"""Callers remembered before those whose time is over are dropped."""


Count = Annotated[int, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class RateOptions:
    per_hour: Count = 5_000
    """Requests of one user, whatever tokens they use. 0: unlimited."""
    anonymous_per_hour: Count = 60
    """Requests without a good token, per address. 0: unlimited."""
    writes_per_minute: Count = 80
    """Tasks and messages of one user. 0: unlimited."""


@dataclass(slots=True)
class Window:
    limit: int
    resets_at: int
    """Unix seconds."""
    used: int = 0
    unkept: int = 0
    """What of it was counted since it was last added to what is kept."""

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def exceeded(self) -> bool:
        return self.used > self.limit

    def count(self, requests: int) -> None:
        """A negative number gives them back."""
        self.used += requests
        self.unkept += requests


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass
class Limits:
    options: RateOptions = field(default_factory=RateOptions)
    clock: Callable[[], float] = time.time
    """Unix seconds."""
    windows: dict[str, Window] = field(default_factory=dict)
    buckets: dict[str, _Bucket] = field(default_factory=dict)
    kept: dict[str, Used] = field(default_factory=dict)

    def window(self, key: str, limit: int) -> Window | None:
        """The window that *key* is in; None when *limit* is 0."""
        if not limit:
            return None
        now = self.clock()
        found = self.windows.get(key)
        if found is None or found.resets_at <= now:
            self._forget(now)
            end = _end_of_window(key, now)
            kept = self.kept.get(key)
            used = kept.used if kept is not None and kept.resets_at == end else 0
            found = self.windows[key] = Window(limit, end, used)
        return found

    def spend(self, key: str, limit: int) -> Window | None:
        """Counts one request; what comes over the limit is counted as `exceeded` and no further."""
        window = self.window(key, limit)
        if window is not None and not window.exceeded:
            window.count(1)
        return window

    def unkept(self) -> dict[str, Used]:
        """What is to be added to what is kept, of each caller; it counts as added from now on."""
        now = self.clock()
        new = {k: w for k, w in self.windows.items() if w.unkept and w.resets_at > now}
        taken = {key: Used(window.resets_at, window.unkept) for key, window in new.items()}
        for window in new.values():
            window.unkept = 0
        return taken

    def put_back(self, taken: Mapping[str, Used]) -> None:
        """*taken* could not be added."""
        for key, used in taken.items():
            window = self.windows.get(key)
            if window is not None and window.resets_at == used.resets_at:
                window.unkept += used.used

    def learn(self, kept: Mapping[str, Used]) -> None:
        """What callers have used, in every process."""
        self.kept.update(kept)
        for key, used in kept.items():
            window = self.windows.get(key)
            if window is not None and window.resets_at == used.resets_at:
                window.used = used.used + window.unkept

    def seconds_to_write(self, key: str) -> int:
        """0 when *key* may write now, and that is counted; else the seconds until it may."""
        capacity = self.options.writes_per_minute
        if not capacity:
            return 0
        now, rate = self.clock(), capacity / MINUTE
        bucket = self.buckets.setdefault(key, _Bucket(capacity, now))
        bucket.level = min(capacity, bucket.level + (now - bucket.at) * rate)
        bucket.at = now
        if bucket.level < 1:
            return max(1, math.ceil((1 - bucket.level) / rate))
        bucket.level -= 1
        return 0

    def _forget(self, now: float) -> None:
        if len(self.windows) >= KEPT:
            self.windows = {k: w for k, w in self.windows.items() if w.resets_at > now}
        if len(self.kept) >= KEPT:
            self.kept = {k: u for k, u in self.kept.items() if u.resets_at > now}
        if len(self.buckets) >= KEPT:
            self.buckets = {k: b for k, b in self.buckets.items() if now - b.at < MINUTE}


def _end_of_window(key: str, now: float) -> int:
    offset = zlib.crc32(key.encode()) % HOUR
    return int((now - offset) // HOUR + 1) * HOUR + offset


class Keeper(Protocol):
    """Where windows are kept. Raises DatabaseLost."""

    async def all(self) -> Mapping[str, Used]: ...

    async def add(self, used: Mapping[str, Used]) -> Mapping[str, Used]:
        """A caller that is cancelled waits for it to be done."""
        ...


@asynccontextmanager
async def keeping(limits: Limits, keeper: Keeper) -> AsyncIterator[Limits]:
    """*limits*, with what was kept; kept for as long as the context lasts and once more at its end.
    Raises DatabaseLost at its beginning only."""
    limits.learn(await keeper.all())
    keep = partial(_keep, limits, keeper)
    running = asyncio.create_task(rounds.every(KEEP_SECONDS, keep, "rates"))
    try:
        yield limits
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await keep()


async def _keep(limits: Limits, keeper: Keeper) -> None:
    taken = limits.unkept()
    if not taken:
        return
    try:
        limits.learn(await keeper.add(taken))
    except DatabaseLost as error:
        limits.put_back(taken)
        log.warning("rate_limit.not_kept", error=str(error))

"""How much one caller may ask for: a window of an hour, and a bucket for bursts of writes.

In process: counters start anew with the process. The ends of a caller's windows depend on its key
alone, so a restart never moves the reset that a client waits for. Knows nothing of HTTP.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec

HOUR = 3600
MINUTE = 60
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

    @property
    def remaining(self) -> int:
        return max(0, self.limit - self.used)

    @property
    def exceeded(self) -> bool:
        return self.used > self.limit


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


@dataclass
class Limits:
    options: RateOptions
    clock: Callable[[], float]
    windows: dict[str, Window] = field(default_factory=dict)
    buckets: dict[str, _Bucket] = field(default_factory=dict)

    def window(self, key: str, limit: int) -> Window | None:
        """The window that *key* is in; None when *limit* is 0."""
        if not limit:
            return None
        now = self.clock()
        found = self.windows.get(key)
        if found is None or found.resets_at <= now:
            self._forget(now)
            found = self.windows[key] = Window(limit, _end_of_window(key, now))
        return found

    def spend(self, key: str, limit: int) -> Window | None:
        """Counts one request; what comes over the limit is counted as `exceeded` and no further."""
        window = self.window(key, limit)
        if window is not None:
            window.used = min(window.used, window.limit) + 1
        return window

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
        if len(self.buckets) >= KEPT:
            self.buckets = {k: b for k, b in self.buckets.items() if now - b.at < MINUTE}


def _end_of_window(key: str, now: float) -> int:
    offset = zlib.crc32(key.encode()) % HOUR
    return int((now - offset) // HOUR + 1) * HOUR + offset

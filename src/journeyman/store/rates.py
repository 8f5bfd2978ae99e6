"""What callers have used of their hour."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import sqlalchemy as sa

from journeyman.domain.rates import Used
from journeyman.store.tables import rate_window

_ADD = sa.text(
    """
    INSERT INTO rate_window (key, resets_at, used) VALUES (:key, :resets_at, :used)
    ON CONFLICT (key) DO UPDATE SET
        used = excluded.used + CASE
            WHEN rate_window.resets_at = excluded.resets_at THEN rate_window.used ELSE 0 END,
        resets_at = excluded.resets_at
    WHERE rate_window.resets_at <= excluded.resets_at
    """
)


def add(tx: sa.Connection, used: Mapping[str, Used]) -> None:
    """To what is there of the same window, unless a newer one is; in one order, so that no two
    processes wait for each other."""
    rows = [{"key": k, "resets_at": u.resets_at, "used": u.used} for k, u in sorted(used.items())]
    tx.execute(_ADD, rows)


def find(tx: sa.Connection, keys: Collection[str] | None, now: float) -> dict[str, Used]:
    """The windows that have not ended, of *keys* or of all."""
    asked = sa.select(rate_window).where(rate_window.c.resets_at > now)
    if keys is not None:
        asked = asked.where(rate_window.c.key.in_(keys))
    return {row.key: Used(row.resets_at, row.used) for row in tx.execute(asked)}


def forget(tx: sa.Connection, now: float) -> None:
    """The windows that have ended."""
    tx.execute(rate_window.delete().where(rate_window.c.resets_at <= now))

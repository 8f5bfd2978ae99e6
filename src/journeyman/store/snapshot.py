"""A database as it is at one moment, while others go on writing to it."""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import sqlalchemy as sa

from journeyman.store.database import make_engine, reachable


@contextmanager
def snapshot(url: str, scratch: Path) -> Iterator[sa.Connection]:
    """A connection that sees one state. SQLite's is a copy in *scratch*, made by its own backup
    interface, so that reading it slowly holds nothing up. Raises DatabaseLost."""
    with reachable():
        if url.startswith("sqlite"):
            with tempfile.TemporaryDirectory(dir=scratch) as directory:
                copy = Path(directory) / "snapshot.db"
                _copy(Path(sa.make_url(url).database or ""), copy)
                yield from _connected(f"sqlite:///{copy}", {})
        else:
            yield from _connected(
                url, {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            )


def _connected(url: str, options: dict[str, object]) -> Iterator[sa.Connection]:
    engine = make_engine(url, pool_size=1)
    try:
        with engine.connect().execution_options(**options) as connection:
            yield connection
    finally:
        engine.dispose()


def _copy(source: Path, target: Path) -> None:
    """In one piece: a copy in steps begins anew whenever somebody writes."""
    with (
        closing(sqlite3.connect(f"{source.as_uri()}?mode=ro", uri=True, timeout=30)) as opened,
        closing(sqlite3.connect(target)) as copy,
    ):
        opened.backup(copy)
    target.chmod(0o600)

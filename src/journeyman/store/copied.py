"""The mark on a SQLite file that another database has taken the place of: what is written to the
file after that, nobody reads.

No table of the schema: only a file that was copied has it.
"""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.errors import AppError, Code
from journeyman.store.columns import Instant

MARK = sa.Table(
    "journeyman_copied",
    sa.MetaData(),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)


def mark(tx: sa.Connection, target: str, at: datetime) -> None:
    """*target*: the other database's address, without its password."""
    MARK.create(tx)
    tx.execute(MARK.insert().values(target=target, at=at))


def unmark(tx: sa.Connection) -> bool:
    """Whether there was a mark."""
    found = sa.inspect(tx).has_table(MARK.name)
    MARK.drop(tx, checkfirst=True)
    return found


def target_of(tx: sa.Connection) -> str | None:
    """The address that `mark` was given; None: there is no mark."""
    return tx.scalar(sa.select(MARK.c.target)) if sa.inspect(tx).has_table(MARK.name) else None


def require_unmarked(tx: sa.Connection) -> None:
    """CONFLICT says where the data is now, and how to go on here."""
    if not sa.inspect(tx).has_table(MARK.name):
        return
    target, at = tx.execute(sa.select(MARK)).one()
    raise AppError(
        Code.CONFLICT,
        f"This SQLite database was copied to {target} at {at:%Y-%m-%d %H:%M} UTC: what is done "
        "here is not known there. Name that one by JOURNEYMAN_DATABASE_URL, or by database.url "
        "in journeyman.toml; to go on with this one instead, without what was done there: "
        "journeyman copy-database --undo",
    )

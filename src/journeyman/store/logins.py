"""What logs people in on the web: passwords, one-time links, sessions, counted attempts."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from journeyman.domain.repositories import Account
from journeyman.store import accounts
from journeyman.store.tables import attempt, login_link, password, server_key, web_session


def find_password(tx: sa.Connection, account_id: int) -> str | None:
    """Its hash."""
    return tx.scalar(sa.select(password.c.hash).where(password.c.account_id == account_id))


def set_password(tx: sa.Connection, account_id: int, hashed: str, now: datetime) -> None:
    tx.execute(password.delete().where(password.c.account_id == account_id))
    tx.execute(password.insert().values(account_id=account_id, hash=hashed, updated_at=now))


def anybody_logged_in(tx: sa.Connection) -> bool:
    """Whether somebody has a password, or has ever used the pages."""
    known = sa.exists(sa.select(password.c.account_id))
    used = sa.exists(sa.select(web_session.c.digest))
    return bool(tx.scalar(sa.select(known | used)))


def add_link(tx: sa.Connection, digest: bytes, account_id: int | None, until: datetime) -> None:
    tx.execute(login_link.insert().values(digest=digest, account_id=account_id, expires_at=until))


def find_link(tx: sa.Connection, digest: bytes, now: datetime) -> tuple[Account | None] | None:
    """Whom an unused link logs in: nobody yet, when it is for the first user of all."""
    row = tx.execute(
        sa.select(login_link.c.account_id).where(
            login_link.c.digest == digest,
            login_link.c.used_at.is_(None),
            login_link.c.expires_at > now,
        )
    ).first()
    if row is None:
        return None
    return (None if row.account_id is None else accounts.get_account(tx, row.account_id),)


def use_link(tx: sa.Connection, digest: bytes, now: datetime) -> bool:
    """False when it was used before."""
    where = login_link.c.digest == digest, login_link.c.used_at.is_(None)
    return tx.execute(login_link.update().where(*where).values(used_at=now)).rowcount == 1


def add_session(
    tx: sa.Connection,
    digest: bytes,
    account_id: int,
    now: datetime,
    until: datetime,
    *,
    secret: bytes | None = None,
) -> None:
    """*secret*: the token of another forge that it began with, encrypted."""
    tx.execute(
        web_session.insert().values(
            digest=digest, account_id=account_id, created_at=now, expires_at=until, secret=secret
        )
    )


_FIND_SESSION = sa.select(web_session.c.account_id).where(
    web_session.c.digest == sa.bindparam("digest"),
    web_session.c.revoked_at.is_(None),
    web_session.c.expires_at > sa.bindparam("now", type_=web_session.c.expires_at.type),
)


def find_session(tx: sa.Connection, digest: bytes, now: datetime) -> Account | None:
    account_id = tx.scalar(_FIND_SESSION, {"digest": digest, "now": now})
    return None if account_id is None else accounts.get_account(tx, account_id)


def find_session_secret(tx: sa.Connection, digest: bytes) -> bytes | None:
    return tx.scalar(sa.select(web_session.c.secret).where(web_session.c.digest == digest))


def end_session(tx: sa.Connection, digest: bytes, now: datetime) -> None:
    ended = web_session.update().where(web_session.c.digest == digest)
    tx.execute(ended.values(revoked_at=now, secret=None))


def end_sessions_of(tx: sa.Connection, account_id: int, now: datetime) -> None:
    where = web_session.c.account_id == account_id, web_session.c.revoked_at.is_(None)
    tx.execute(web_session.update().where(*where).values(revoked_at=now, secret=None))


def count_attempt(tx: sa.Connection, key: str, now: datetime, window_began: datetime) -> int:
    """How many there were with *key*, this one too, since the first that is not older than
    *window_began*."""
    made = attempt.c["count"]
    row = tx.execute(sa.select(attempt.c.since, made.label("made")).where(attempt.c.key == key))
    found = row.first()
    if found is not None and found.since > window_began:
        tx.execute(attempt.update().where(attempt.c.key == key).values(count=made + 1))
        return int(found.made) + 1
    tx.execute(attempt.delete().where((attempt.c.key == key) | (attempt.c.since <= window_began)))
    tx.execute(attempt.insert().values(key=key, since=now, count=1))
    return 1


def find_server_key(tx: sa.Connection, name: str) -> bytes | None:
    return tx.scalar(sa.select(server_key.c.value).where(server_key.c.name == name))


def add_server_key(tx: sa.Connection, name: str, value: bytes) -> None:
    tx.execute(server_key.insert().values(name=name, value=value))


def remove_expired(tx: sa.Connection, before: datetime) -> None:
    for table in (web_session, login_link):
        tx.execute(table.delete().where(table.c.expires_at < before))

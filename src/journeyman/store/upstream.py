"""Accounts and repositories of another forge, under the numbers that they have there.

Tasks refer to them; what is written here is what the forge said last.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from journeyman.domain.repositories import Account, Repository
from journeyman.store import logins
from journeyman.store.tables import account, repository

FORGE = "forge"


def find_forge(tx: sa.Connection) -> str | None:
    """The address of the forge whose numbers are in this database; None while it has none."""
    if (found := logins.find_server_key(tx, FORGE)) is not None:
        return bytes(found).decode()
    return "embedded" if tx.scalar(sa.select(sa.exists(sa.select(account.c.id)))) else None


def set_forge(tx: sa.Connection, url: str) -> None:
    logins.add_server_key(tx, FORGE, url.encode())


def keep_account(tx: sa.Connection, seen: Account) -> None:
    """As it is called now. Who had that name before has another by now, told when next seen."""
    key = seen.login.lower()
    tx.execute(
        account.update()
        .where(account.c.login_key == key, account.c.id != seen.id)
        .values(login_key=_former(account, account.c.login_key))
    )
    values = {"login": seen.login, "login_key": key, "type": seen.type}
    known = {**values, "site_admin": False, "created_at": seen.created_at}
    _put(tx, account, seen.id, values, known)


def keep_repository(tx: sa.Connection, seen: Repository) -> None:
    """With its owner."""
    keep_account(tx, seen.owner)
    key = seen.name.lower()
    tx.execute(
        repository.update()
        .where(
            repository.c.owner_id == seen.owner.id,
            repository.c.name_key == key,
            repository.c.id != seen.id,
        )
        .values(name_key=_former(repository, repository.c.name_key))
    )
    values = {
        "owner_id": seen.owner.id,
        "name": seen.name,
        "name_key": key,
        "default_branch": seen.default_branch,
        "private": seen.private,
        "archived": seen.archived,
        "updated_at": seen.updated_at,
    }
    _put(tx, repository, seen.id, values, {**values, "created_at": seen.created_at})


def _former(table: sa.Table, key: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """A key that no name can have, for one whose name now belongs to another."""
    return key + "~" + sa.cast(table.c.id, sa.Text)


def _put(
    tx: sa.Connection, table: sa.Table, id: int, changed: dict[str, Any], new: dict[str, Any]
) -> None:
    if not tx.execute(table.update().where(table.c.id == id).values(changed)).rowcount:
        tx.execute(table.insert().values(id=id, **new))

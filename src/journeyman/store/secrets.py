"""Rows of secrets and variables; values are encrypted before they come here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.repositories import Repository
from journeyman.domain.secrets import Kind, Place, Value, Visibility
from journeyman.store.accounts import OWNER_COLUMNS, REPOSITORY_COLUMNS, labelled_repository
from journeyman.store.tables import account, agent_value, agent_value_repository, repository


def _value(row: sa.Row[Any]) -> Value:
    return Value(
        id=row.id,
        kind=Kind(row.kind),
        name=row.name,
        sealed=row.value,
        visibility=None if row.visibility is None else Visibility(row.visibility),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def _at(place: Place) -> sa.ColumnElement[bool]:
    of_kind = agent_value.c.kind == place.kind
    if place.repository_id is not None:
        return of_kind & (agent_value.c.repository_id == place.repository_id)
    return of_kind & (agent_value.c.organization_id == place.organization_id)


def list_page(
    tx: sa.Connection, where: sa.ColumnElement[bool], page: int, per_page: int
) -> tuple[list[Value], int]:
    total = tx.scalar(sa.select(sa.func.count()).select_from(agent_value).where(where)) or 0
    rows = tx.execute(
        sa.select(agent_value)
        .where(where)
        .order_by(agent_value.c.name)
        .limit(per_page)
        .offset((page - 1) * per_page)
    )
    return [_value(row) for row in rows], total


def list_at(tx: sa.Connection, place: Place, page: int, per_page: int) -> tuple[list[Value], int]:
    """A page in the order of names, and how many there are in all."""
    return list_page(tx, _at(place), page, per_page)


def list_shared(
    tx: sa.Connection, of: Repository, kind: Kind, page: int, per_page: int
) -> tuple[list[Value], int]:
    """What the organization of a repository shares with it."""
    return list_page(tx, _shared_with(of) & (agent_value.c.kind == kind), page, per_page)


def list_reaching(tx: sa.Connection, of: Repository) -> list[Value]:
    """All of both kinds that a repository gets: the organization's first, then its own."""
    reaching = _shared_with(of) | (agent_value.c.repository_id == of.id)
    order = (agent_value.c.repository_id.is_not(None), agent_value.c.kind.desc())
    return [
        _value(row) for row in tx.execute(sa.select(agent_value).where(reaching).order_by(*order))
    ]


def _shared_with(of: Repository) -> sa.ColumnElement[bool]:
    selected = sa.exists().where(
        agent_value_repository.c.value_id == agent_value.c.id,
        agent_value_repository.c.repository_id == of.id,
    )
    how = agent_value.c.visibility
    shared = (how == Visibility.ALL) | ((how == Visibility.SELECTED) & selected)
    if of.private:
        shared = shared | (how == Visibility.PRIVATE)
    return (agent_value.c.organization_id == of.owner.id) & shared


def find(tx: sa.Connection, place: Place, name: str) -> Value | None:
    row = tx.execute(sa.select(agent_value).where(_at(place), agent_value.c.name == name)).first()
    return None if row is None else _value(row)


def add(
    tx: sa.Connection,
    place: Place,
    name: str,
    sealed: bytes,
    visibility: Visibility | None,
    now: datetime,
) -> Value:
    row = tx.execute(
        agent_value.insert()
        .values(
            kind=place.kind,
            repository_id=place.repository_id,
            organization_id=place.organization_id,
            name=name,
            value=sealed,
            visibility=visibility,
            created_at=now,
            updated_at=now,
        )
        .returning(*agent_value.c)
    ).one()
    return _value(row)


def change(tx: sa.Connection, value_id: int, changes: dict[str, Any], now: datetime) -> None:
    """*changes* by column: name, value, visibility."""
    tx.execute(
        agent_value.update().where(agent_value.c.id == value_id).values(**changes, updated_at=now)
    )


def remove(tx: sa.Connection, value_id: int) -> None:
    tx.execute(agent_value_repository.delete().where(agent_value_repository.c.value_id == value_id))
    tx.execute(agent_value.delete().where(agent_value.c.id == value_id))


def list_owned(tx: sa.Connection, organization_id: int) -> Sequence[Repository]:
    """The organization's repositories, by name."""
    found = (
        sa.select(*REPOSITORY_COLUMNS, *OWNER_COLUMNS)
        .select_from(repository.join(account, account.c.id == repository.c.owner_id))
        .where(repository.c.owner_id == organization_id)
        .order_by(repository.c.name)
    )
    return [labelled_repository(row) for row in tx.execute(found)]


def list_selected(tx: sa.Connection, value_id: int) -> Sequence[Repository]:
    found = (
        sa.select(*REPOSITORY_COLUMNS, *OWNER_COLUMNS)
        .select_from(
            agent_value_repository.join(repository).join(
                account, account.c.id == repository.c.owner_id
            )
        )
        .where(agent_value_repository.c.value_id == value_id)
        .order_by(repository.c.id)
    )
    return [labelled_repository(row) for row in tx.execute(found)]


def select_only(tx: sa.Connection, value_id: int, repository_ids: Iterable[int]) -> None:
    tx.execute(agent_value_repository.delete().where(agent_value_repository.c.value_id == value_id))
    rows = [{"value_id": value_id, "repository_id": id_} for id_ in sorted(repository_ids)]
    if rows:
        tx.execute(agent_value_repository.insert(), rows)


def owned(tx: sa.Connection, organization_id: int, repository_ids: Iterable[int]) -> set[int]:
    """Those of *repository_ids* that belong to the organization."""
    found = sa.select(repository.c.id).where(
        repository.c.owner_id == organization_id, repository.c.id.in_(list(repository_ids))
    )
    return set(tx.execute(found).scalars())

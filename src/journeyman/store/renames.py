"""Names that repositories had before. A name that is in use again is its new owner's."""

from __future__ import annotations

import sqlalchemy as sa

from journeyman.domain.repositories import Repository
from journeyman.store.accounts import get_repository
from journeyman.store.tables import former_name, repository

_FIND = sa.select(former_name.c.repository_id).where(
    former_name.c.owner_key == sa.bindparam("owner_key"),
    former_name.c.name_key == sa.bindparam("name_key"),
)


def find_former(tx: sa.Connection, owner: str, name: str) -> Repository | None:
    """The repository that was called so once."""
    found = tx.scalar(_FIND, {"owner_key": owner.lower(), "name_key": name.lower()})
    return None if found is None else get_repository(tx, found)


def rename(tx: sa.Connection, known: Repository, name: str) -> None:
    """The name until now becomes a former one; nobody was ever called by the new one."""
    owner_key = known.owner.login.lower()
    for key in {name.lower(), known.name.lower()}:
        tx.execute(
            former_name.delete().where(
                former_name.c.owner_key == owner_key, former_name.c.name_key == key
            )
        )
    if name.lower() != known.name.lower():
        tx.execute(
            former_name.insert().values(
                owner_key=owner_key, name_key=known.name.lower(), repository_id=known.id
            )
        )
    tx.execute(
        repository.update()
        .where(repository.c.id == known.id)
        .values(name=name, name_key=name.lower())
    )

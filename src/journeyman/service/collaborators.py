"""Who may work on a repository of the embedded forge, beside its owner and the administrators."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, FieldError, invalid
from journeyman.domain.repositories import Account, AccountType, Permission, Repository
from journeyman.forge import Access
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.store import accounts
from journeyman.store.database import Database


class Collaborators:
    """All of it is FORBIDDEN for who does not administer the repository."""

    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def list(self, access: Access) -> Sequence[tuple[Account, Permission]]:
        """By name."""
        _require_admin(access)
        repository_id = access.repository.id
        return await self._database.read(lambda tx: accounts.list_collaborators(tx, repository_id))

    async def grant(self, access: Access, login: str, permission: Permission) -> None:
        """Permission.NONE takes back what a user has."""
        _require_admin(access)
        now = self._clock()
        await self._database.write(lambda tx: grant(tx, access.repository, login, permission, now))


def grant(
    tx: Connection, repository: Repository, login: str, permission: Permission, now: datetime
) -> None:
    account = accounts.find_account(tx, login)
    if account is None or account.type is not AccountType.USER:
        message = f"There is no user {login[:100]!r}."
        raise AppError(Code.NOT_FOUND, message, (FieldError("user", "missing", message),))
    if account.id == repository.owner.id:
        raise invalid("user", f"{account.login} owns {repository.full_name}.", "invalid")
    accounts.set_collaborator(tx, repository.id, account.id, permission)
    taken = permission is Permission.NONE
    audit.record(
        tx,
        Action.REPO_REMOVE_MEMBER if taken else Action.REPO_ADD_MEMBER,
        now,
        repository_id=repository.id,
        user=account,
        data={} if taken else {"permission": permission.name.lower()},
    )


def _require_admin(access: Access) -> None:
    if access.permission < Permission.ADMIN:
        raise AppError(
            Code.FORBIDDEN,
            f"You need admin access to {access.repository.full_name} to say who may work on it.",
        )

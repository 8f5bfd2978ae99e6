"""Accounts, tokens, repositories and who may do what with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.principals import Principal, Token, TokenKind
from journeyman.domain.repositories import Account, AccountType, Permission, Repository
from journeyman.store.tables import account, collaborator, repository, token


def _account(row: sa.Row[Any]) -> Account:
    return Account(
        row.id,
        row.login,
        AccountType(row.type),
        row.site_admin,
        row.created_at,
        row.suspended_at,
    )


_FIND_ACCOUNT = sa.select(account).where(account.c.login_key == sa.bindparam("login_key"))
_GET_ACCOUNT = sa.select(account).where(account.c.id == sa.bindparam("account_id"))


def find_account(tx: sa.Connection, login: str) -> Account | None:
    row = tx.execute(_FIND_ACCOUNT, {"login_key": login.lower()}).first()
    return None if row is None else _account(row)


def get_account(tx: sa.Connection, account_id: int) -> Account:
    return _account(tx.execute(_GET_ACCOUNT, {"account_id": account_id}).one())


def find_account_by_id(tx: sa.Connection, account_id: int) -> Account | None:
    row = tx.execute(_GET_ACCOUNT, {"account_id": account_id}).first()
    return None if row is None else _account(row)


def add_account(
    tx: sa.Connection, login: str, kind: AccountType, *, site_admin: bool, now: datetime
) -> Account:
    row = tx.execute(
        account.insert()
        .values(
            login=login, login_key=login.lower(), type=kind, site_admin=site_admin, created_at=now
        )
        .returning(*account.c)
    ).one()
    return _account(row)


def become_user(tx: sa.Connection, account_id: int, *, site_admin: bool) -> None:
    """An owner that was only a name becomes somebody with tokens."""
    tx.execute(
        account.update()
        .where(account.c.id == account_id)
        .values(type=AccountType.USER, site_admin=account.c.site_admin | sa.literal(site_admin))
    )


def set_suspended(tx: sa.Connection, account_id: int, since: datetime | None) -> None:
    tx.execute(account.update().where(account.c.id == account_id).values(suspended_at=since))


def has_users(tx: sa.Connection) -> bool:
    return tx.scalar(sa.select(sa.exists().where(account.c.type == AccountType.USER))) or False


def list_users(tx: sa.Connection) -> Sequence[Account]:
    users = sa.select(account).where(account.c.type == AccountType.USER)
    return [_account(row) for row in tx.execute(users.order_by(account.c.login_key))]


def list_organizations(tx: sa.Connection) -> Sequence[Account]:
    organizations = sa.select(account).where(account.c.type == AccountType.ORGANIZATION)
    return [_account(row) for row in tx.execute(organizations.order_by(account.c.login_key))]


_TOKEN_COLUMNS = [c.label(f"token_{c.name}") for c in token.c]
_OWNER_COLUMNS = [c.label(f"owner_{c.name}") for c in account.c]


def _labelled_account(row: sa.Row[Any]) -> Account:
    return Account(
        row.owner_id,
        row.owner_login,
        AccountType(row.owner_type),
        row.owner_site_admin,
        row.owner_created_at,
        row.owner_suspended_at,
    )


def _token(row: sa.Row[Any]) -> Token:
    return Token(
        id=row.token_id,
        kind=TokenKind(row.token_kind),
        account=_labelled_account(row),
        note=row.token_note,
        last_eight=row.token_last_eight,
        scopes=tuple(row.token_scopes),
        created_at=row.token_created_at,
        expires_at=row.token_expires_at,
        last_used_at=row.token_last_used_at,
        revoked_at=row.token_revoked_at,
        permissions=row.token_permissions,
        repository_ids=(
            None if row.token_repository_ids is None else frozenset(row.token_repository_ids)
        ),
        client_id=row.token_client_id,
    )


_TOKENS = sa.select(*_TOKEN_COLUMNS, *_OWNER_COLUMNS).select_from(token.join(account))
_FIND_TOKEN = _TOKENS.where(token.c.digest == sa.bindparam("digest"))


def find_token(tx: sa.Connection, digest: bytes) -> Token | None:
    """By the SHA-256 of its text; revoked and expired ones too."""
    row = tx.execute(_FIND_TOKEN, {"digest": digest}).first()
    return None if row is None else _token(row)


def find_token_by_id(tx: sa.Connection, token_id: int) -> Token | None:
    row = tx.execute(_TOKENS.where(token.c.id == token_id)).first()
    return None if row is None else _token(row)


def list_tokens(tx: sa.Connection) -> Sequence[Token]:
    return [_token(row) for row in tx.execute(_TOKENS.order_by(token.c.id))]


def list_tokens_of(
    tx: sa.Connection, account_id: int, kinds: Sequence[TokenKind]
) -> Sequence[Token]:
    """Those that were not revoked, newest first."""
    own = _TOKENS.where(
        token.c.account_id == account_id, token.c.kind.in_(kinds), token.c.revoked_at.is_(None)
    )
    return [_token(row) for row in tx.execute(own.order_by(token.c.id.desc()))]


@dataclass(frozen=True)
class NewToken:
    """A token to be stored. *digest* is the SHA-256 of its text."""

    kind: TokenKind
    digest: bytes
    last_eight: str
    created_at: datetime
    note: str = ""
    scopes: Sequence[str] = ()
    permissions: Mapping[str, str] | None = None
    repository_ids: Iterable[int] | None = None
    client_id: str | None = None
    expires_at: datetime | None = None


def add_token(tx: sa.Connection, owner: Account, new: NewToken) -> int:
    ids = new.repository_ids
    added: int = tx.execute(
        token.insert()
        .values(
            account_id=owner.id,
            kind=new.kind,
            digest=new.digest,
            last_eight=new.last_eight,
            note=new.note,
            scopes=list(new.scopes),
            permissions=None if new.permissions is None else dict(new.permissions),
            repository_ids=None if ids is None else sorted(ids),
            client_id=new.client_id,
            created_at=new.created_at,
            expires_at=new.expires_at,
        )
        .returning(token.c.id)
    ).scalar_one()
    return added


def touch_token(tx: sa.Connection, token_id: int, now: datetime) -> None:
    tx.execute(token.update().where(token.c.id == token_id).values(last_used_at=now))


def revoke_token(tx: sa.Connection, token_id: int, now: datetime) -> bool:
    """False when there is no such token or it was revoked before."""
    changed = tx.execute(
        token.update()
        .where(token.c.id == token_id, token.c.revoked_at.is_(None))
        .values(revoked_at=now)
    )
    return changed.rowcount == 1


REPOSITORY_COLUMNS = [c.label(f"repository_{c.name}") for c in repository.c]
OWNER_COLUMNS = _OWNER_COLUMNS


def labelled_repository(row: sa.Row[Any]) -> Repository:
    """From a row that has REPOSITORY_COLUMNS and OWNER_COLUMNS."""
    return Repository(
        id=row.repository_id,
        owner=_labelled_account(row),
        name=row.repository_name,
        default_branch=row.repository_default_branch,
        private=row.repository_private,
        archived=row.repository_archived,
        created_at=row.repository_created_at,
        updated_at=row.repository_updated_at,
    )


_REPOSITORIES = sa.select(*REPOSITORY_COLUMNS, *OWNER_COLUMNS).select_from(
    repository.join(account, repository.c.owner_id == account.c.id)
)
_FIND_REPOSITORY = _REPOSITORIES.where(
    account.c.login_key == sa.bindparam("owner_key"),
    repository.c.name_key == sa.bindparam("name_key"),
)
_GET_REPOSITORY = _REPOSITORIES.where(repository.c.id == sa.bindparam("id"))


def find_repository(tx: sa.Connection, owner: str, name: str) -> Repository | None:
    row = tx.execute(
        _FIND_REPOSITORY, {"owner_key": owner.lower(), "name_key": name.lower()}
    ).first()
    return None if row is None else labelled_repository(row)


def get_repository(tx: sa.Connection, repository_id: int) -> Repository:
    return labelled_repository(tx.execute(_GET_REPOSITORY, {"id": repository_id}).one())


def lock_repository(tx: sa.Connection, repository_id: int) -> None:
    """Until the transaction ends, others that ask for this wait: what is numbered in a repository
    is numbered once."""
    held = sa.select(repository.c.id).where(repository.c.id == repository_id)
    tx.execute(held.with_for_update())


def list_repositories(tx: sa.Connection) -> Sequence[Repository]:
    rows = tx.execute(_REPOSITORIES.order_by(account.c.login_key, repository.c.name_key))
    return [labelled_repository(row) for row in rows]


def add_repository(
    tx: sa.Connection, owner: Account, name: str, *, private: bool, now: datetime
) -> int:
    added: int = tx.execute(
        repository.insert()
        .values(
            owner_id=owner.id,
            name=name,
            name_key=name.lower(),
            default_branch="main",
            private=private,
            archived=False,
            created_at=now,
            updated_at=now,
        )
        .returning(repository.c.id)
    ).scalar_one()
    return added


def set_default_branch(tx: sa.Connection, repository_id: int, branch: str) -> None:
    tx.execute(
        repository.update().where(repository.c.id == repository_id).values(default_branch=branch)
    )


def remove_repository(tx: sa.Connection, repository_id: int) -> None:
    """Only for one whose import failed: it has no tasks yet."""
    tx.execute(repository.delete().where(repository.c.id == repository_id))


_PERMISSION = (
    sa.select(
        repository.c.owner_id,
        repository.c.private,
        account.c.site_admin,
        collaborator.c.permission,
    )
    .select_from(
        repository.join(account, account.c.id == sa.bindparam("account_id"), isouter=True).join(
            collaborator,
            sa.and_(
                collaborator.c.repository_id == repository.c.id,
                collaborator.c.account_id == sa.bindparam("account_id"),
            ),
            isouter=True,
        )
    )
    .where(repository.c.id == sa.bindparam("repository_id"))
)


def permission(tx: sa.Connection, account_id: int, repository_id: int) -> Permission:
    """What an account may do: as site administrator, owner, collaborator, or because the
    repository is public."""
    return _role(tx, account_id, repository_id)[0]


def permission_of(tx: sa.Connection, principal: Principal, repository_id: int) -> Permission:
    """What a principal may do: no more than its account, and no more than its token. RoleUnknown
    where another forge has to be asked first."""
    if principal.roles is not None:
        return principal.roles.of(repository_id)
    role, private = _role(tx, principal.account.id, repository_id)
    return principal.limit(role, repository_id, private=private)


def _role(tx: sa.Connection, account_id: int, repository_id: int) -> tuple[Permission, bool]:
    """And whether the repository is private."""
    row = tx.execute(
        _PERMISSION, {"account_id": account_id, "repository_id": repository_id}
    ).first()
    if row is None:
        return Permission.NONE, True
    if row.site_admin or row.owner_id == account_id:
        return Permission.ADMIN, row.private
    public = Permission.NONE if row.private else Permission.READ
    return max(Permission(row.permission or 0), public), row.private


def list_collaborators(
    tx: sa.Connection, repository_id: int
) -> Sequence[tuple[Account, Permission]]:
    """By name."""
    rows = tx.execute(
        sa.select(account, collaborator.c.permission)
        .join(collaborator, collaborator.c.account_id == account.c.id)
        .where(collaborator.c.repository_id == repository_id)
        .order_by(account.c.login_key)
    )
    return [(_account(row), Permission(row.permission)) for row in rows]


def set_collaborator(
    tx: sa.Connection, repository_id: int, account_id: int, granted: Permission
) -> None:
    where = (collaborator.c.repository_id == repository_id, collaborator.c.account_id == account_id)
    tx.execute(collaborator.delete().where(*where))
    if granted is not Permission.NONE:
        tx.execute(
            collaborator.insert().values(
                repository_id=repository_id, account_id=account_id, permission=int(granted)
            )
        )

"""Registered apps, and the grants that lead to their tokens. Secrets are kept as digests only."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from journeyman.domain.oauth import App, AppKind, Consent, Device, DeviceState, Refresh
from journeyman.domain.repositories import Account
from journeyman.store import accounts
from journeyman.store.tables import oauth_app, oauth_code, oauth_device, oauth_refresh, token


def _app(row: sa.Row[Any]) -> App:
    return App(
        client_id=row.client_id,
        name=row.name,
        kind=AppKind(row.kind),
        secret_digest=row.secret_digest,
        callback_urls=tuple(row.callback_urls),
        device_flow=row.device_flow,
        permissions=row.permissions,
        created_at=row.created_at,
    )


_LIVING = sa.select(oauth_app).where(oauth_app.c.deleted_at.is_(None))


def find_app(tx: sa.Connection, client_id: str) -> App | None:
    row = tx.execute(_LIVING.where(oauth_app.c.client_id == client_id)).first()
    return None if row is None else _app(row)


def list_apps(tx: sa.Connection) -> Sequence[App]:
    return [_app(row) for row in tx.execute(_LIVING.order_by(oauth_app.c.created_at))]


def add_app(tx: sa.Connection, new: App) -> None:
    tx.execute(
        oauth_app.insert().values(
            client_id=new.client_id,
            name=new.name,
            kind=new.kind,
            secret_digest=new.secret_digest,
            callback_urls=list(new.callback_urls),
            device_flow=new.device_flow,
            permissions=dict(new.permissions),
            created_at=new.created_at,
        )
    )


def remove_app(tx: sa.Connection, client_id: str, now: datetime) -> bool:
    """False when there is no such app. Its tokens end; its row stays, for they name it."""
    living = oauth_app.c.client_id == client_id, oauth_app.c.deleted_at.is_(None)
    removed = tx.execute(oauth_app.update().where(*living).values(deleted_at=now)).rowcount == 1
    if removed:
        revoke_tokens(tx, client_id, None, now)
    return removed


def set_secret(tx: sa.Connection, client_id: str, digest: bytes) -> bool:
    """False when there is no such app, or it keeps none."""
    keeps = (
        oauth_app.c.client_id == client_id,
        oauth_app.c.deleted_at.is_(None),
        oauth_app.c.secret_digest.is_not(None),
    )
    return tx.execute(oauth_app.update().where(*keeps).values(secret_digest=digest)).rowcount == 1


def revoke_tokens(tx: sa.Connection, client_id: str, account_id: int | None, now: datetime) -> None:
    """All that an app holds, of one account or of all."""
    where = [token.c.client_id == client_id, token.c.revoked_at.is_(None)]
    if account_id is not None:
        where.append(token.c.account_id == account_id)
    tx.execute(token.update().where(*where).values(revoked_at=now))


# --- Devices -------------------------------------------------------------------------------------


def add_device(tx: sa.Connection, new: Device, user_code_digest: bytes) -> None:
    tx.execute(
        oauth_device.insert().values(
            digest=new.digest,
            user_code_digest=user_code_digest,
            client_id=new.client_id,
            scopes=list(new.scopes),
            state=new.state,
            expires_at=new.expires_at,
        )
    )


def find_device(tx: sa.Connection, digest: bytes) -> Device | None:
    return _device(tx, oauth_device.c.digest == digest)


def find_device_of(tx: sa.Connection, user_code_digest: bytes) -> Device | None:
    return _device(tx, oauth_device.c.user_code_digest == user_code_digest)


def _device(tx: sa.Connection, where: sa.ColumnElement[bool]) -> Device | None:
    row = tx.execute(sa.select(oauth_device).where(where)).first()
    if row is None:
        return None
    return Device(
        digest=row.digest,
        client_id=row.client_id,
        scopes=tuple(row.scopes),
        state=DeviceState(row.state),
        account=None if row.account_id is None else accounts.get_account(tx, row.account_id),
        expires_at=row.expires_at,
        polled_at=row.polled_at,
    )


def note_poll(tx: sa.Connection, digest: bytes, now: datetime) -> None:
    tx.execute(oauth_device.update().where(oauth_device.c.digest == digest).values(polled_at=now))


def move_device(
    tx: sa.Connection,
    digest: bytes,
    before: DeviceState,
    after: DeviceState,
    account: Account | None = None,
) -> bool:
    """False when it is not in the state *before* any more."""
    values: dict[str, Any] = {"state": after}
    if account is not None:
        values["account_id"] = account.id
    where = oauth_device.c.digest == digest, oauth_device.c.state == before
    return tx.execute(oauth_device.update().where(*where).values(values)).rowcount == 1


# --- Codes and refresh tokens --------------------------------------------------------------------


def add_code(tx: sa.Connection, digest: bytes, new: Consent) -> None:
    tx.execute(
        oauth_code.insert().values(
            digest=digest,
            client_id=new.client_id,
            account_id=new.account.id,
            scopes=list(new.scopes),
            redirect_uri=new.redirect_uri,
            code_challenge=new.code_challenge,
            expires_at=new.expires_at,
        )
    )


def find_code(tx: sa.Connection, digest: bytes) -> Consent | None:
    row = tx.execute(sa.select(oauth_code).where(oauth_code.c.digest == digest)).first()
    if row is None:
        return None
    return Consent(
        client_id=row.client_id,
        account=accounts.get_account(tx, row.account_id),
        scopes=tuple(row.scopes),
        redirect_uri=row.redirect_uri,
        code_challenge=row.code_challenge,
        expires_at=row.expires_at,
        used_at=row.used_at,
    )


def use_code(tx: sa.Connection, digest: bytes, now: datetime) -> bool:
    """False when it was used before."""
    where = oauth_code.c.digest == digest, oauth_code.c.used_at.is_(None)
    return tx.execute(oauth_code.update().where(*where).values(used_at=now)).rowcount == 1


def add_refresh(tx: sa.Connection, digest: bytes, new: Refresh) -> None:
    tx.execute(
        oauth_refresh.insert().values(
            digest=digest,
            token_id=new.token_id,
            by_device=new.by_device,
            expires_at=new.expires_at,
            follows=new.follows,
        )
    )


def find_refresh(tx: sa.Connection, digest: bytes) -> Refresh | None:
    row = tx.execute(sa.select(oauth_refresh).where(oauth_refresh.c.digest == digest)).first()
    if row is None:
        return None
    return Refresh(row.token_id, row.by_device, row.expires_at, row.used_at, row.follows)


def use_refresh(tx: sa.Connection, digest: bytes, now: datetime) -> bool:
    """False when it was used before."""
    where = oauth_refresh.c.digest == digest, oauth_refresh.c.used_at.is_(None)
    return tx.execute(oauth_refresh.update().where(*where).values(used_at=now)).rowcount == 1


def follower_of(tx: sa.Connection, token_id: int) -> int | None:
    """The token that was issued for *token_id* by its refresh token."""
    followers = sa.select(oauth_refresh.c.token_id).where(oauth_refresh.c.follows == token_id)
    found: int | None = tx.scalar(followers)
    return found


def forget_refresh_of(tx: sa.Connection, token_id: int, now: datetime) -> None:
    """A token that was revoked or reset cannot be refreshed either."""
    where = oauth_refresh.c.token_id == token_id, oauth_refresh.c.used_at.is_(None)
    tx.execute(oauth_refresh.update().where(*where).values(used_at=now))


def remove_expired(tx: sa.Connection, before: datetime) -> None:
    for table in (oauth_device, oauth_code, oauth_refresh):
        tx.execute(table.delete().where(table.c.expires_at < before))

"""A token for an app, made inside somebody's transaction: the one place that issues them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.oauth import App, AppKind, Issued, Refresh
from journeyman.domain.principals import TokenKind
from journeyman.domain.repositories import Account
from journeyman.service import audit
from journeyman.store import accounts, oauth

TOKEN_SECONDS = 28800
"""Eight hours, as GitHub's."""
REFRESH_SECONDS = 15897600
"""Six months, as GitHub's."""


class Tokens(Protocol):
    """How the embedded forge's tokens look."""

    def mint(self, prefix: str) -> str: ...

    def digest(self, token: str) -> bytes: ...


@dataclass(frozen=True)
class Grant:
    app: App
    account: Account
    scopes: tuple[str, ...] = ()
    by_device: bool = False
    repository_ids: Iterable[int] | None = None
    follows: int | None = None
    """The token that this one is issued for, by its other half."""


def issue(tx: Connection, tokens: Tokens, grant: Grant, now: datetime) -> Issued:
    if grant.app.kind is AppKind.OAUTH:
        secret = tokens.mint("gho_")
        _add(tx, tokens, secret, grant, now)
        return Issued(secret, grant.scopes)
    secret, refresh = tokens.mint("ghu_"), tokens.mint("ghr_")
    token_id = _add(tx, tokens, secret, grant, now)
    until = now + timedelta(seconds=REFRESH_SECONDS)
    new = Refresh(token_id, grant.by_device, until, used_at=None, follows=grant.follows)
    oauth.add_refresh(tx, tokens.digest(refresh), new)
    return Issued(secret, (), TOKEN_SECONDS, refresh, REFRESH_SECONDS)


def _add(tx: Connection, tokens: Tokens, secret: str, grant: Grant, now: datetime) -> int:
    app = grant.app
    of_app = app.kind is AppKind.GITHUB
    token_id = accounts.add_token(
        tx,
        grant.account,
        accounts.NewToken(
            kind=TokenKind.APP_USER if of_app else TokenKind.OAUTH,
            digest=tokens.digest(secret),
            last_eight=secret[-8:],
            created_at=now,
            note=app.name,
            scopes=() if of_app else grant.scopes,
            permissions=app.permissions if of_app else None,
            repository_ids=grant.repository_ids,
            client_id=app.client_id,
            expires_at=now + timedelta(seconds=TOKEN_SECONDS) if of_app else None,
        ),
    )
    made = accounts.find_token_by_id(tx, token_id)
    assert made is not None
    audit.token(tx, Action.OAUTH_ACCESS_CREATE, made, now, on_behalf=made.account)
    return token_id

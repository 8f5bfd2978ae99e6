"""The apps that a user has let act for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import not_found
from journeyman.domain.oauth import App
from journeyman.domain.principals import Token, TokenKind
from journeyman.domain.repositories import Account
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.store import accounts, oauth
from journeyman.store.database import Database

OF_APPS = (TokenKind.OAUTH, TokenKind.APP_USER)


@dataclass(frozen=True)
class Authorization:
    """What an app holds of one user."""

    app: App
    tokens: int
    scopes: tuple[str, ...]
    """Of any of its tokens."""
    since: datetime
    last_used_at: datetime | None


class Authorizations:
    def __init__(self, database: Database, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._clock = clock

    async def list_of(self, account: Account) -> Sequence[Authorization]:
        """By the app's name."""

        def read(tx: Connection) -> list[Authorization]:
            held: dict[str, list[Token]] = {}
            for token in accounts.list_tokens_of(tx, account.id, OF_APPS):
                held.setdefault(token.client_id or "", []).append(token)
            apps = {app.client_id: app for app in oauth.list_apps(tx)}
            made = (_authorization(apps[key], held[key]) for key in held if key in apps)
            return sorted(made, key=lambda one: one.app.name.lower())

        return await self._database.read(read)

    async def revoke(self, account: Account, client_id: str) -> None:
        """All that the app holds of *account* ends. NOT_FOUND when it holds nothing."""
        now = self._clock()

        def revoke(tx: Connection) -> bool:
            held = accounts.list_tokens_of(tx, account.id, OF_APPS)
            ended = [token for token in held if token.client_id == client_id]
            for token in ended:
                accounts.revoke_token(tx, token.id, now)
                oauth.forget_refresh_of(tx, token.id, now)
            if ended:
                data = {"client_id": client_id}
                action = Action.OAUTH_AUTHORIZATION_DESTROY
                audit.record(tx, action, now, user=account, data=data)
            return bool(ended)

        if not await self._database.write(revoke):
            raise not_found("Not Found")


def _authorization(app: App, tokens: Sequence[Token]) -> Authorization:
    used = [token.last_used_at for token in tokens if token.last_used_at is not None]
    return Authorization(
        app=app,
        tokens=len(tokens),
        scopes=tuple(sorted({scope for token in tokens for scope in token.scopes})),
        since=min(token.created_at for token in tokens),
        last_used_at=max(used, default=None),
    )

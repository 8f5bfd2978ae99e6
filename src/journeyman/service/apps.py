"""Registered apps: made and deleted by the operator, and what an app may ask of its own tokens."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, invalid, not_found
from journeyman.domain.oauth import App, AppKind, check_callback
from journeyman.domain.principals import Token, TokenKind
from journeyman.domain.repositories import Account
from journeyman.service import audit, grants
from journeyman.service.clock import Clock, utc_now
from journeyman.service.grants import Grant, Tokens
from journeyman.service.oauth import Client, proves
from journeyman.store import accounts, oauth
from journeyman.store.database import Database

INSTALLATION_SECONDS = 3600
CLIENT_ID_PREFIX = {AppKind.OAUTH: "Ov23li", AppKind.GITHUB: "Iv23li"}


@dataclass(frozen=True)
class NewApp:
    name: str
    kind: AppKind = AppKind.OAUTH
    callback_urls: tuple[str, ...] = ()
    device_flow: bool = False
    permissions: Mapping[str, str] | None = None
    public: bool = False
    """It keeps no secret: a program on its user's machine."""


class Apps:
    def __init__(self, database: Database, tokens: Tokens, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock

    async def create(self, new: NewApp) -> tuple[App, str | None]:
        """The app and its secret, which is shown only now; None for a public one."""
        if not new.name.strip() or len(new.name) > 100 or not new.name.isprintable():
            raise invalid("name", f"{new.name!r} cannot name an app: 1 to 100 letters.")
        if not new.callback_urls and not new.device_flow:
            raise invalid("callback_url", "An app needs a callback URL or the device flow.")
        secret = None if new.public else secrets.token_hex(20)
        app = App(
            client_id=CLIENT_ID_PREFIX[new.kind] + secrets.token_hex(7),
            name=new.name.strip(),
            kind=new.kind,
            secret_digest=None if secret is None else self._tokens.digest(secret),
            callback_urls=tuple(check_callback(url) for url in new.callback_urls),
            device_flow=new.device_flow,
            permissions=(
                {"metadata": "read", **(new.permissions or {})}
                if new.kind is AppKind.GITHUB
                else {}
            ),
            created_at=self._clock(),
        )

        def create(tx: Connection) -> None:
            oauth.add_app(tx, app)
            _record(tx, Action.APP_CREATE, app.client_id, app.created_at, name=app.name)

        await self._database.write(create)
        return app, secret

    async def list(self) -> Sequence[App]:
        return await self._database.read(oauth.list_apps)

    async def delete(self, client_id: str) -> None:
        """Its tokens end with it; NOT_FOUND when there is no such app."""
        now = self._clock()

        def delete(tx: Connection) -> bool:
            removed = oauth.remove_app(tx, client_id, now)
            if removed:
                _record(tx, Action.APP_DESTROY, client_id, now)
            return removed

        if not await self._database.write(delete):
            raise not_found(f"There is no app {client_id!r}; `journeyman app list` shows them.")

    async def renew_secret(self, client_id: str) -> str:
        """A new secret, shown only now; the one before ends. NOT_FOUND for an app that keeps
        none."""
        secret, now = secrets.token_hex(20), self._clock()
        digest = self._tokens.digest(secret)

        def renew(tx: Connection) -> bool:
            renewed = oauth.set_secret(tx, client_id, digest)
            if renewed:
                _record(tx, Action.APP_RENEW_SECRET, client_id, now)
            return renewed

        if not await self._database.write(renew):
            raise not_found(f"There is no app {client_id[:100]!r} that keeps a secret.")
        return secret

    async def create_installation_token(self, client_id: str, owner: str) -> str:
        """As a GitHub App gets it for one owner, for an hour. This server's API refuses it."""
        secret, now = self._tokens.mint("ghs_"), self._clock()

        def create(tx: Connection) -> None:
            app, account = oauth.find_app(tx, client_id), accounts.find_account(tx, owner)
            if app is None or app.kind is not AppKind.GITHUB:
                raise not_found(f"There is no GitHub App {client_id!r}.")
            if account is None:
                raise not_found(f"There is no account {owner!r}.")
            new = accounts.NewToken(
                kind=TokenKind.INSTALLATION,
                digest=self._tokens.digest(secret),
                last_eight=secret[-8:],
                created_at=now,
                note=app.name,
                permissions=app.permissions,
                client_id=app.client_id,
                expires_at=now + timedelta(seconds=INSTALLATION_SECONDS),
            )
            token_id = accounts.add_token(tx, account, new)
            token = accounts.find_token_by_id(tx, token_id)
            assert token is not None
            audit.token(tx, Action.INSTALLATION_TOKEN_CREATE, token, now)

        await self._database.write(create)
        return secret

    # --- What an app asks of its own tokens ------------------------------------------------------

    async def check(self, client: Client, secret: str) -> tuple[App, Token]:
        """NOT_FOUND for a token that is not the app's, or has ended."""
        return await self._database.read(lambda tx: self._own(tx, client, secret))

    async def reset(self, client: Client, secret: str) -> tuple[str, App, Token]:
        """A new token with the rights of the old one, which ends."""

        def reset(tx: Connection) -> tuple[str, App, Token]:
            app, old = self._own(tx, client, secret)
            self._end(tx, old)
            grant = Grant(app, old.account, old.scopes, repository_ids=old.repository_ids)
            made = grants.issue(tx, self._tokens, grant, self._clock()).access_token
            new = accounts.find_token(tx, self._tokens.digest(made))
            assert new is not None
            return made, app, new

        return await self._database.write(reset)

    async def revoke(self, client: Client, secret: str) -> None:
        await self._database.write(lambda tx: self._end(tx, self._own(tx, client, secret)[1]))

    async def revoke_grant(self, client: Client, secret: str) -> None:
        """All that the app holds of the token's user."""

        def revoke(tx: Connection) -> None:
            app, token = self._own(tx, client, secret)
            now = self._clock()
            oauth.revoke_tokens(tx, app.client_id, token.account.id, now)
            _record(tx, Action.OAUTH_AUTHORIZATION_DESTROY, app.client_id, now, user=token.account)

        await self._database.write(revoke)

    async def revoke_credentials(self, credentials: Sequence[str]) -> None:
        """Whoever holds a token may end it; unknown ones are passed over."""

        def revoke(tx: Connection) -> None:
            for secret in credentials:
                token = accounts.find_token(tx, self._tokens.digest(secret))
                if token is not None:
                    self._end(tx, token)

        await self._database.write(revoke)

    def _own(self, tx: Connection, client: Client, secret: str) -> tuple[App, Token]:
        app = oauth.find_app(tx, client.client_id)
        if app is None or app.secret_digest is None or not proves(app, client.secret, self._tokens):
            raise AppError(Code.UNAUTHENTICATED, "Bad credentials")
        token = accounts.find_token(tx, self._tokens.digest(secret))
        if token is None or token.client_id != app.client_id or token.revoked_at is not None:
            raise not_found("Not Found")
        if token.expires_at is not None and token.expires_at <= self._clock():
            raise not_found("Not Found")
        return app, token

    def _end(self, tx: Connection, token: Token) -> None:
        now = self._clock()
        if accounts.revoke_token(tx, token.id, now):
            personal = token.kind in (TokenKind.CLASSIC, TokenKind.FINE_GRAINED)
            action = Action.TOKEN_REVOKE if personal else Action.OAUTH_ACCESS_DESTROY
            audit.token(tx, action, token, now)
        oauth.forget_refresh_of(tx, token.id, now)


def _record(
    tx: Connection,
    action: Action,
    client_id: str,
    now: datetime,
    *,
    user: Account | None = None,
    **more: str,
) -> None:
    audit.record(tx, action, now, user=user, data={"client_id": client_id, **more})

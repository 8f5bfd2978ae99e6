"""How a client gets a token: the device flow, a code from the web flow, a refresh token.

Knows nothing of HTTP or of the pages on which a user agrees. Every no is a `Refused`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.oauth import (
    App,
    AppKind,
    Device,
    DeviceState,
    Failure,
    Issued,
    Refused,
    Started,
    parse_scopes,
)
from journeyman.service import audit, grants
from journeyman.service.clock import Clock, utc_now
from journeyman.service.grants import Grant, Tokens
from journeyman.store import accounts, oauth
from journeyman.store.database import Database

DEVICE_SECONDS = 900
INTERVAL_SECONDS = 5
JITTER_SECONDS = 1
"""A poll that is so little early is not early."""
KEEP = timedelta(days=1)
"""How long what has expired is kept, so that a late client is told so."""
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""A user code has no vowels: it spells nothing, and nothing in it looks like a digit."""


@dataclass(frozen=True)
class Client:
    """How a client names itself."""

    client_id: str
    secret: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class CodeExchange:
    code: str = field(repr=False)
    redirect_uri: str | None = None
    code_verifier: str | None = field(default=None, repr=False)
    repository_id: int | None = None
    """A GitHub App may ask for a token that reaches this repository alone."""


def user_code_digest(text: str) -> bytes:
    """Of a code as people type it: in any case, with or without its hyphen."""
    return hashlib.sha256(re.sub(r"[\s-]", "", text).upper().encode()).digest()


def proves(app: App, secret: str | None, tokens: Tokens) -> bool:
    """Whether *secret* is the app's; an app without one has nothing to prove."""
    if app.secret_digest is None:
        return not secret
    return secret is not None and hmac.compare_digest(tokens.digest(secret), app.secret_digest)


class OAuth:
    def __init__(self, database: Database, tokens: Tokens, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock

    async def start_device(self, client_id: str, scope: str) -> Started:
        device_code = secrets.token_hex(20)
        letters = "".join(secrets.choice(LETTERS) for _ in range(8))
        now = self._clock()

        def start(tx: Connection) -> None:
            app = _app(tx, client_id)
            if not app.device_flow:
                raise Refused(Failure.DEVICE_FLOW_DISABLED)
            oauth.remove_expired(tx, now - KEEP)
            device = Device(
                digest=self._tokens.digest(device_code),
                client_id=app.client_id,
                scopes=parse_scopes(scope) if app.kind is AppKind.OAUTH else (),
                state=DeviceState.PENDING,
                account=None,
                expires_at=now + timedelta(seconds=DEVICE_SECONDS),
                polled_at=None,
            )
            oauth.add_device(tx, device, user_code_digest(letters))

        await self._database.write(start)
        user_code = f"{letters[:4]}-{letters[4:]}"
        return Started(device_code, user_code, DEVICE_SECONDS, INTERVAL_SECONDS)

    async def poll_device(
        self, client_id: str, device_code: str, *, repository_id: int | None = None
    ) -> Issued:
        """The token, once the user agreed. A client that polls too fast is told so, and served
        all the same once there is something to serve."""
        digest = self._tokens.digest(device_code)

        def poll(tx: Connection) -> Issued | Refused:
            app = _app(tx, client_id)
            device = oauth.find_device(tx, digest)
            if device is None or device.client_id != app.client_id:
                return Refused(Failure.INCORRECT_DEVICE_CODE)
            refused = self._not_yet(tx, app, device)
            if refused is not None:
                return refused
            if not oauth.move_device(tx, digest, DeviceState.APPROVED, DeviceState.USED):
                return Refused(Failure.INCORRECT_DEVICE_CODE)
            assert device.account is not None
            ids = _only(app, repository_id)
            grant = Grant(app, device.account, device.scopes, True, ids)
            return grants.issue(tx, self._tokens, grant, self._clock())

        return _or_raise(await self._database.write(poll))

    def _not_yet(self, tx: Connection, app: App, device: Device) -> Refused | None:
        """Why there is no token for *device*, when there is none."""
        now = self._clock()
        if not app.device_flow:
            return Refused(Failure.DEVICE_FLOW_DISABLED)
        if device.state is DeviceState.USED:
            return Refused(Failure.INCORRECT_DEVICE_CODE)
        if device.expires_at <= now:
            return Refused(Failure.EXPIRED_TOKEN)
        if device.state is DeviceState.DENIED:
            return Refused(Failure.ACCESS_DENIED)
        if device.state is DeviceState.APPROVED:
            return None
        oauth.note_poll(tx, device.digest, now)
        early = timedelta(seconds=INTERVAL_SECONDS - JITTER_SECONDS)
        if device.polled_at is not None and now - device.polled_at < early:
            # Never more than this: clients that ignore it would otherwise wait for ever.
            return Refused(Failure.SLOW_DOWN, interval=INTERVAL_SECONDS * 2)
        return Refused(Failure.AUTHORIZATION_PENDING)

    async def exchange_code(self, client: Client, asked: CodeExchange) -> Issued:
        digest = self._tokens.digest(asked.code)
        now = self._clock()

        def exchange(tx: Connection) -> Issued:
            app = self._authenticated(tx, client)
            consent = oauth.find_code(tx, digest)
            if consent is None or consent.client_id != app.client_id or consent.expires_at <= now:
                raise Refused(Failure.BAD_VERIFICATION_CODE)
            if asked.redirect_uri is not None and asked.redirect_uri != consent.redirect_uri:
                raise Refused(Failure.REDIRECT_URI_MISMATCH)
            if not _verifies(asked.code_verifier, consent.code_challenge):
                raise Refused(Failure.BAD_VERIFICATION_CODE)
            if not oauth.use_code(tx, digest, now):
                raise Refused(Failure.BAD_VERIFICATION_CODE)
            ids = _only(app, asked.repository_id)
            grant = Grant(app, consent.account, consent.scopes, False, ids)
            return grants.issue(tx, self._tokens, grant, now)

        return await self._database.write(exchange)

    async def refresh(self, client: Client, refresh_token: str) -> Issued:
        """A new pair; the old token and the old refresh token end. Whoever shows one that was used
        before may have stolen it, or been stolen from: what came of it ends, too (RFC 9700)."""
        digest = self._tokens.digest(refresh_token)
        now = self._clock()

        def refresh(tx: Connection) -> Issued | Refused:
            app, known = _app(tx, client.client_id), oauth.find_refresh(tx, digest)
            if client.secret or (known is not None and not known.by_device):
                self._authenticated(tx, client)
            old = accounts.find_token_by_id(tx, known.token_id) if known else None
            if known is None or old is None or old.client_id != app.client_id:
                raise Refused(Failure.BAD_REFRESH_TOKEN)
            if known.used_at is not None and self._end_followers(tx, old.id, now):
                return Refused(Failure.BAD_REFRESH_TOKEN)
            if old.revoked_at is not None:
                # What was revoked must not come back by its other half.
                raise Refused(Failure.BAD_REFRESH_TOKEN)
            if known.expires_at <= now or not oauth.use_refresh(tx, digest, now):
                raise Refused(Failure.BAD_REFRESH_TOKEN)
            if accounts.revoke_token(tx, old.id, now):
                audit.token(tx, Action.OAUTH_ACCESS_DESTROY, old, now)
            grant = Grant(app, old.account, (), known.by_device, old.repository_ids, old.id)
            return grants.issue(tx, self._tokens, grant, now)

        return _or_raise(await self._database.write(refresh))

    def _end_followers(self, tx: Connection, token_id: int, now: datetime) -> bool:
        """Whether anything had come of the token."""
        follower = oauth.follower_of(tx, token_id)
        found = follower is not None
        while follower is not None:
            token = accounts.find_token_by_id(tx, follower)
            if token is not None and accounts.revoke_token(tx, follower, now):
                audit.token(tx, Action.OAUTH_ACCESS_DESTROY, token, now)
            oauth.forget_refresh_of(tx, follower, now)
            follower = oauth.follower_of(tx, follower)
        return found

    def _authenticated(self, tx: Connection, client: Client) -> App:
        app = _app(tx, client.client_id)
        if not proves(app, client.secret, self._tokens):
            raise Refused(Failure.INCORRECT_CLIENT_CREDENTIALS)
        return app


def _app(tx: Connection, client_id: str) -> App:
    app = oauth.find_app(tx, client_id)
    if app is None:
        raise Refused(Failure.INCORRECT_CLIENT_CREDENTIALS)
    return app


def _only(app: App, repository_id: int | None) -> frozenset[int] | None:
    narrowed = app.kind is AppKind.GITHUB and repository_id is not None
    return frozenset([repository_id]) if narrowed and repository_id is not None else None


def _or_raise(answer: Issued | Refused) -> Issued:
    """What is noted down must be kept although it is refused."""
    if isinstance(answer, Refused):
        raise answer
    return answer


def _verifies(verifier: str | None, challenge: str | None) -> bool:
    """PKCE with S256; RFC 7636 wants 43 characters and more of the verifier. Its alphabet is not
    insisted on: git-credential-oauth draws from that of base64, and what counts is the hash."""
    if challenge is None:
        return True
    if verifier is None or not re.fullmatch(r"[!-~]{43,128}", verifier):
        return False
    hashed = hashlib.sha256(verifier.encode()).digest()
    made = base64.urlsafe_b64encode(hashed).rstrip(b"=").decode()
    return hmac.compare_digest(made, challenge)

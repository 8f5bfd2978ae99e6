"""How a user lets an app act: by a code typed from a device, or where the app sent the browser.

Knows nothing of pages; the caller has logged the user in.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode

from sqlalchemy import Connection

from journeyman.domain.audit import Action
from journeyman.domain.errors import AppError, Code, not_found
from journeyman.domain.oauth import (
    DESCRIPTIONS,
    App,
    AppKind,
    Consent,
    Device,
    DeviceState,
    Failure,
    matches,
    parse_scopes,
)
from journeyman.domain.repositories import Account
from journeyman.service import audit
from journeyman.service.clock import Clock, utc_now
from journeyman.service.grants import Tokens
from journeyman.service.oauth import user_code_digest
from journeyman.store import logins, oauth
from journeyman.store.database import Database

CODE_SECONDS = 600
SUBMISSIONS = 50
"""How many codes a user may try in an hour."""
HOUR = timedelta(hours=1)
DENIED = "The user has denied your application access."


@dataclass(frozen=True)
class Ask:
    """What an app sent the browser with."""

    client_id: str
    redirect_uri: str = ""
    scope: str = ""
    state: str = ""
    code_challenge: str = ""
    code_challenge_method: str = ""


@dataclass(frozen=True)
class Question:
    """What the user is asked; with a *failure*, the app is told so instead."""

    app: App
    scopes: tuple[str, ...]
    redirect_uri: str
    state: str
    code_challenge: str | None
    failure: Failure | None

    def returning(self, **answer: str) -> str:
        """Where the browser goes back to."""
        if self.state:
            answer["state"] = self.state
        glue = "&" if "?" in self.redirect_uri else "?"
        return f"{self.redirect_uri}{glue}{urlencode(answer)}"

    @property
    def failed(self) -> str:
        assert self.failure is not None
        return self.returning(error=self.failure, error_description=DESCRIPTIONS[self.failure])

    @property
    def denied(self) -> str:
        return self.returning(error=Failure.ACCESS_DENIED, error_description=DENIED)


class Consents:
    def __init__(self, database: Database, tokens: Tokens, *, clock: Clock = utc_now) -> None:
        self._database = database
        self._tokens = tokens
        self._clock = clock

    async def find_device(self, account: Account, user_code: str) -> tuple[App, Device]:
        """Counted; NOT_FOUND for a code that is wrong, over or decided already."""
        now, digest = self._clock(), user_code_digest(user_code)

        def find(tx: Connection) -> tuple[int, App | None, Device | None]:
            tries = logins.count_attempt(tx, f"device:{account.id}", now, now - HOUR)
            device = oauth.find_device_of(tx, digest)
            if device is None or device.state is not DeviceState.PENDING:
                return tries, None, None
            return tries, oauth.find_app(tx, device.client_id), device

        tries, app, device = await self._database.write(find)
        if tries > SUBMISSIONS:
            raise AppError(Code.FORBIDDEN, "You have tried too many codes. Please wait an hour.")
        if app is None or device is None or device.expires_at <= now:
            raise not_found("This code is wrong, or it has expired. Check it and try again.")
        return app, device

    async def decide_device(self, account: Account, device: Device, *, approved: bool) -> None:
        """NOT_FOUND when it was decided meanwhile."""
        after = DeviceState.APPROVED if approved else DeviceState.DENIED

        def decide(tx: Connection) -> bool:
            moved = oauth.move_device(tx, device.digest, DeviceState.PENDING, after, account)
            if moved and approved:
                _record(tx, account, device.client_id, device.scopes, self._clock())
            return moved

        if not await self._database.write(decide):
            raise not_found("This code has been used already.")

    async def question(self, ask: Ask) -> Question:
        """NOT_FOUND without such an app, INVALID when there is nowhere to send the browser."""
        app = await self._database.read(lambda tx: oauth.find_app(tx, ask.client_id))
        if app is None:
            raise not_found(f"There is no app {ask.client_id!r} on this server.")
        if not app.callback_urls:
            raise AppError(
                Code.INVALID, f"{app.name} has no callback URL; it can log in by device only."
            )
        redirect_uri, failure = ask.redirect_uri or app.callback_urls[0], None
        if not matches(redirect_uri, app.callback_urls):
            redirect_uri, failure = app.callback_urls[0], Failure.REDIRECT_URI_MISMATCH
        elif not _proof_is_right(app, ask):
            failure = Failure.INVALID_REQUEST
        return Question(
            app=app,
            scopes=parse_scopes(ask.scope) if app.kind is AppKind.OAUTH else (),
            redirect_uri=redirect_uri,
            state=ask.state,
            code_challenge=ask.code_challenge or None,
            failure=failure,
        )

    async def agree(self, account: Account, question: Question) -> str:
        """Where the browser goes back to, with a code."""
        assert question.failure is None
        code = secrets.token_hex(10)
        now = self._clock()
        consent = Consent(
            client_id=question.app.client_id,
            account=account,
            scopes=question.scopes,
            redirect_uri=question.redirect_uri,
            code_challenge=question.code_challenge,
            expires_at=now + timedelta(seconds=CODE_SECONDS),
            used_at=None,
        )

        def agree(tx: Connection) -> None:
            oauth.add_code(tx, self._tokens.digest(code), consent)
            _record(tx, account, consent.client_id, consent.scopes, now)

        await self._database.write(agree)
        return question.returning(code=code)


def _record(
    tx: Connection, account: Account, client_id: str, scopes: tuple[str, ...], now: datetime
) -> None:
    data = {"client_id": client_id, "scopes": list(scopes)}
    action = Action.OAUTH_AUTHORIZATION_CREATE
    audit.record(tx, action, now, user=account, on_behalf=account, data=data)


def _proof_is_right(app: App, ask: Ask) -> bool:
    """PKCE is asked of clients that keep no secret, and S256 is the only method."""
    if not ask.code_challenge:
        return app.secret_digest is not None and not ask.code_challenge_method
    return ask.code_challenge_method == "S256" and bool(
        re.fullmatch(r"[A-Za-z0-9_-]{43}", ask.code_challenge)
    )

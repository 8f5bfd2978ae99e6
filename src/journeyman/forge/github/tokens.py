"""Whose a token is, as GitHub says."""

from __future__ import annotations

from datetime import UTC, datetime

from journeyman.domain.principals import SCOPED, Principal, kind_of
from journeyman.domain.roles import Roles
from journeyman.forge import CredentialRefused
from journeyman.forge.github.answers import User
from journeyman.forge.rest import Api


async def whose(api: Api, token: str, roles: Roles) -> Principal:
    kind = kind_of(token)
    if kind is None:
        raise CredentialRefused("It does not begin as GitHub's tokens do.")
    answer = await api.read(token, "/user")
    scopes = answer.headers.get("x-oauth-scopes")
    return Principal(
        account=api.decoded(answer.body, User).account(),
        kind=kind,
        scopes=_scopes(scopes or "") if kind in SCOPED else None,
        expires_at=_time(answer.headers.get("github-authentication-token-expiration", "")),
        secret=token,
        roles=roles,
    )


def _scopes(header: str) -> tuple[str, ...]:
    return tuple(filter(None, map(str.strip, header.split(","))))


def _time(header: str) -> datetime | None:
    """`2026-12-31 23:59:59 UTC`, or with an offset."""
    text = header.strip().replace(" UTC", " +0000")
    try:
        return datetime.strptime(text, "%Y-%m-%d %H:%M:%S %z").astimezone(UTC)
    except ValueError:
        return None

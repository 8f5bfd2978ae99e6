"""Who a request speaks for, and with which kind of token."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from journeyman.domain.repositories import Account


class TokenKind(StrEnum):
    """GitHub's kinds, told apart by prefix alone."""

    CLASSIC = "classic"
    FINE_GRAINED = "fine_grained"
    OAUTH = "oauth"
    APP_USER = "app_user"
    INSTALLATION = "installation"


PREFIXES = {
    "ghp_": TokenKind.CLASSIC,
    "github_pat_": TokenKind.FINE_GRAINED,
    "gho_": TokenKind.OAUTH,
    "ghu_": TokenKind.APP_USER,
    "ghs_": TokenKind.INSTALLATION,
}


def kind_of(token: str) -> TokenKind | None:
    """By prefix only: upstream token formats change in length and alphabet."""
    return next((kind for prefix, kind in PREFIXES.items() if token.startswith(prefix)), None)


@dataclass(frozen=True)
class Token:
    """A token as stored: never the secret itself, only its SHA-256 and last characters."""

    id: int
    kind: TokenKind
    account: Account
    note: str
    last_eight: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    revoked_at: datetime | None


@dataclass(frozen=True)
class Principal:
    """An account and what its token lets it do."""

    account: Account
    kind: TokenKind
    scopes: tuple[str, ...] | None = None
    """None: the token's kind has no scopes."""
    token_id: int | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Actor:
    """On whose behalf the service acts on a forge; the secret never shows in a log."""

    account: Account
    secret: str | None = field(default=None, repr=False)

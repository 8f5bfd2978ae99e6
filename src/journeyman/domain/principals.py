"""Who a request speaks for, and with which kind of token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from journeyman.domain.repositories import Account, Permission
from journeyman.domain.roles import Roles


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


SCOPED = frozenset({TokenKind.CLASSIC, TokenKind.OAUTH})
"""The kinds that carry scopes; the others carry permissions."""


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
    permissions: Mapping[str, str] | None = None
    repository_ids: frozenset[int] | None = None
    client_id: str | None = None
    """The app that it was issued to."""


@dataclass(frozen=True)
class Principal:
    """An account and what its token lets it do."""

    account: Account
    kind: TokenKind
    scopes: tuple[str, ...] | None = None
    """None: the token's kind has no scopes."""
    token_id: int | None = None
    expires_at: datetime | None = None
    permissions: Mapping[str, str] | None = None
    """`read` or `write` by name, as `agent_tasks`; None: the token's kind has no permissions."""
    repository_ids: frozenset[int] | None = None
    """The selected repositories; None: all that its account sees."""
    secret: str | None = field(default=None, repr=False)
    """The token itself, where another forge must be asked with it; None: the store is enough."""
    roles: Roles | None = field(default=None, repr=False, compare=False)
    """What another forge lets the token do; None: the store says what its account may do."""

    @property
    def actor(self) -> Actor:
        return Actor(self.account, self.secret)

    def allows(self, needs: str) -> bool:
        """Whether the token has the permission that is written as `agent_tasks=read`."""
        if self.permissions is None:
            return True
        name, _, level = needs.partition("=")
        held = self.permissions.get(name)
        return held is not None and (held == "write" or level == "read")

    @property
    def public_only(self) -> bool:
        """Its scopes reach no private repository."""
        return self.scopes is not None and "repo" not in self.scopes

    def limit(self, role: Permission, repository_id: int, *, private: bool) -> Permission:
        """What is left of its account's *role* in a repository once the token is looked at.

        A token that does not reach a repository reads it like anybody, if it is public.
        """
        selected = self.repository_ids is None or repository_id in self.repository_ids
        if selected and (self.scopes is None or "repo" in self.scopes):
            return role
        if private:
            return Permission.NONE
        if selected and self.scopes is not None and "public_repo" in self.scopes:
            return role
        return min(role, Permission.READ)


@dataclass(frozen=True)
class Actor:
    """On whose behalf the service acts on a forge; the secret never shows in a log."""

    account: Account
    secret: str | None = field(default=None, repr=False)

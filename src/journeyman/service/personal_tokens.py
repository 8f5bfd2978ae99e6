"""A user's own tokens: made, listed and revoked by themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from journeyman.domain.errors import invalid, not_found
from journeyman.domain.oauth import PERMISSIONS, READ_ONLY, SCOPES
from journeyman.domain.principals import Principal, Token, TokenKind
from journeyman.domain.repositories import Account, Permission
from journeyman.service.administration import Administration
from journeyman.service.clock import Clock, utc_now
from journeyman.store import accounts, browsing
from journeyman.store.database import Database

PERSONAL = (TokenKind.CLASSIC, TokenKind.FINE_GRAINED)
LONGEST_NOTE = 200
LONGEST_DAYS = 366


@dataclass(frozen=True)
class Wish:
    """What every token has: what it is for, and how many days it lasts; None: until revoked."""

    note: str
    days: int | None


class PersonalTokens:
    def __init__(
        self, database: Database, administration: Administration, *, clock: Clock = utc_now
    ) -> None:
        self._database = database
        self._administration = administration
        self._clock = clock

    async def list_of(self, account: Account) -> Sequence[Token]:
        """Those not revoked, newest first."""
        return await self._database.read(
            lambda tx: accounts.list_tokens_of(tx, account.id, PERSONAL)
        )

    async def create_classic(
        self, account: Account, wish: Wish, scopes: Sequence[str]
    ) -> tuple[str, Token]:
        """The token, shown only now. INVALID names the field."""
        unknown = sorted(set(scopes) - set(SCOPES))
        if unknown:
            raise invalid("scopes", f"There is no scope {unknown[0][:100]!r}.", "invalid")
        return await self._administration.create_token(
            account.login, note=_note(wish), expires_at=self._end(wish), scopes=scopes
        )

    async def create_fine_grained(
        self,
        principal: Principal,
        wish: Wish,
        permissions: Mapping[str, str],
        repositories: Sequence[str] | None,
    ) -> tuple[str, Token]:
        """For the *repositories* named; None: all that *principal* may see, at any time."""
        _check(permissions)
        if repositories is not None:
            await self._require_seen(principal, repositories)
        return await self._administration.create_fine_grained_token(
            principal.account.login,
            permissions=permissions,
            repositories=repositories,
            note=_note(wish),
            expires_at=self._end(wish),
        )

    async def revoke(self, account: Account, token_id: int) -> None:
        """NOT_FOUND also for somebody else's."""
        if all(token.id != token_id for token in await self.list_of(account)):
            raise not_found("Not Found")
        await self._administration.revoke_token(token_id)

    async def _require_seen(self, principal: Principal, names: Sequence[str]) -> None:
        if not names:
            raise invalid(
                "repositories", "Choose at least one repository, or all.", "missing_field"
            )
        seen = await self._database.read(
            lambda tx: browsing.list_repositories(tx, principal, Permission.READ)
        )
        unknown = set(names) - {repository.full_name for repository in seen}
        if unknown:
            message = f"There is no repository {min(unknown)[:200]!r} that you may see."
            raise invalid("repositories", message, "invalid")

    def _end(self, wish: Wish) -> datetime | None:
        if wish.days is None:
            return None
        if not 1 <= wish.days <= LONGEST_DAYS:
            message = f"{wish.days} is not a number of days from 1 to {LONGEST_DAYS}."
            raise invalid("days", message, "invalid")
        return self._clock() + timedelta(days=wish.days)


def _note(wish: Wish) -> str:
    note = wish.note.strip()
    if not note or len(note) > LONGEST_NOTE:
        raise invalid("note", f"Say what it is for, in 1 to {LONGEST_NOTE} characters.", "invalid")
    return note


def _check(permissions: Mapping[str, str]) -> None:
    if not permissions:
        raise invalid("permissions", "Choose at least one permission.", "missing_field")
    for name, level in permissions.items():
        levels = ("read",) if name in READ_ONLY else ("read", "write")
        if name not in PERMISSIONS or level not in levels:
            message = f"There is no permission {name[:100]}={level[:100]}."
            raise invalid("permissions", message, "invalid")

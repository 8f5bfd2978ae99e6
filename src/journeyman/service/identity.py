"""Who asks, and what they may do with a repository."""

from __future__ import annotations

from journeyman.domain.errors import AppError, Code, Renamed, not_found
from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Account, Permission
from journeyman.forge import Access, Forge
from journeyman.service import outages
from journeyman.service.upstream import Seen


class Identity:
    def __init__(self, forge: Forge, seen: Seen | None = None) -> None:
        """*seen*: where what another forge tells is written down."""
        self._forge = forge
        self._seen = seen

    async def authenticate(self, token: str) -> Principal:
        """Raises UNAUTHENTICATED for a bad token, FORBIDDEN for one of a kind that is not taken."""
        with outages.told():
            principal = await self._forge.identify(token)
        if self._seen is not None:
            await self._seen.account(principal.account)
        return principal

    async def note(self, told: Account) -> None:
        """Somebody of whom another forge has told, and who has sent no token."""
        if self._seen is not None:
            await self._seen.account(told)

    async def access(self, principal: Principal, owner: str, name: str) -> Access:
        """The repository as *principal* sees it; NOT_FOUND when it may not be seen, as if it
        were not there; Renamed under a former name."""
        with outages.told():
            found = await self._forge.find_access(principal, owner, name)
        if found is None or found.permission < Permission.READ:
            raise not_found("Not Found")
        repository = found.repository
        if self._seen is not None:
            await self._seen.repository(repository)
        if principal.roles is not None:
            principal.roles.note(repository.id, found.permission)
        if repository.full_name.lower() != f"{owner}/{name}".lower():
            raise Renamed(repository.full_name)
        return found

    async def access_now(self, principal: Principal, owner: str, name: str) -> Access:
        """As `access`, by the name that the repository has now where *name* is a former one."""
        try:
            return await self.access(principal, owner, name)
        except Renamed as renamed:
            owner, _, name = renamed.full_name.partition("/")
            return await self.access(principal, owner, name)


def require_write(access: Access) -> None:
    """Starting and steering work needs what pushing needs."""
    if access.permission < Permission.WRITE:
        raise AppError(
            Code.FORBIDDEN,
            f"You need write access to {access.repository.full_name} to work on it with an agent.",
        )
    if access.repository.archived:
        raise AppError(
            Code.FORBIDDEN, f"{access.repository.full_name} is archived and can only be read."
        )

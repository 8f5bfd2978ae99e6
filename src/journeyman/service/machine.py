"""Journeyman's own user on another forge: whose token works where nobody has sent one."""

from __future__ import annotations

from dataclasses import replace

from journeyman.domain.errors import AppError, Code
from journeyman.domain.principals import Actor, Principal
from journeyman.domain.repositories import Account
from journeyman.forge import Forge
from journeyman.service import outages
from journeyman.service.identity import Identity


class Machine:
    def __init__(self, forge: Forge, identity: Identity, token: str) -> None:
        self._forge = forge
        self._identity = identity
        self._token = token

    async def acting_for(self, asker: Account) -> Principal:
        """*asker*, who has sent no token, with that of the machine's user: what is done is theirs
        in the books, and no more than that user may do."""
        own = await self._identified()
        await self._identity.note(asker)
        return replace(own, account=asker)

    async def own(self) -> Actor:
        """Who speaks on the forge."""
        return (await self._identified()).actor

    async def _identified(self) -> Principal:
        """Whoever asks can do nothing about a token that is not good: that is waited for, too."""
        try:
            with outages.told():
                return await self._forge.identify(self._token)
        except AppError as error:
            if error.code not in (Code.UNAUTHENTICATED, Code.FORBIDDEN):
                raise
            told = error.message.rstrip(".")
            message = f"The forge does not take triggers.token: {told}. Set another one."
            raise AppError(Code.UNAVAILABLE, message) from error

"""The repositories of a user, by the operation that GitHub's and Gitea's APIs share for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from journeyman.domain.principals import Principal
from journeyman.domain.repositories import Permission, Repository
from journeyman.domain.roles import FRESH_SECONDS
from journeyman.forge import Access
from journeyman.forge.lately import Lately
from journeyman.forge.rest import Api


class Listed(Protocol):
    """An entry of the list."""

    def repository(self) -> Repository: ...

    def permission(self) -> Permission: ...


class RestListing:
    """*entry*: what an entry of the list is decoded to. *clock* gives seconds that only grow."""

    def __init__(
        self, api: Api, entry: type[Listed], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._entry = entry
        # What was noted of them must not be older than what is shown of them.
        self._lists = Lately[str, Sequence[Access]](lambda _found: FRESH_SECONDS / 2, clock=clock)

    async def repositories(self, principal: Principal) -> Sequence[Access]:
        secret = principal.secret or ""
        return await self._lists.get(secret, lambda: self._list(secret))

    async def _list(self, secret: str) -> Sequence[Access]:
        found = await self._api.pages(secret, "/user/repos", self._entry)
        return [Access(one.repository(), one.permission()) for one in found]

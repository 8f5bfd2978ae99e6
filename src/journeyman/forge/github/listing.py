"""The repositories of a user, as GitHub lists them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from journeyman.domain.principals import Principal
from journeyman.domain.roles import FRESH_SECONDS
from journeyman.forge import Access
from journeyman.forge.github.answers import RepositoryAnswer
from journeyman.forge.github.api import GitHubApi
from journeyman.forge.lately import Lately


class GitHubListing:
    """*clock* gives seconds that only grow."""

    def __init__(self, api: GitHubApi, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._api = api
        # What was noted of them must not be older than what is shown of them.
        self._lists = Lately[str, Sequence[Access]](lambda _found: FRESH_SECONDS / 2, clock=clock)

    async def repositories(self, principal: Principal) -> Sequence[Access]:
        secret = principal.secret or ""
        return await self._lists.get(secret, lambda: self._list(secret))

    async def _list(self, secret: str) -> Sequence[Access]:
        found = await self._api.pages(secret, "/user/repos", RepositoryAnswer)
        return [Access(one.repository(), one.permission()) for one in found]

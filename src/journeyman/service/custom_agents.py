"""Which custom agents a repository has, for whoever may read it."""

from __future__ import annotations

from collections.abc import Sequence

from journeyman.agent.customisation import profiles
from journeyman.agent.customisation.profiles import Profile
from journeyman.domain.principals import Principal
from journeyman.forge import Access, Texts
from journeyman.service import outages


class CustomAgents:
    def __init__(self, texts: Texts | None) -> None:
        """*texts*: None for a forge that shows none; then there are none to choose from."""
        self._texts = texts

    async def list(self, principal: Principal, access: Access) -> Sequence[Profile]:
        """Those of the default branch that a user may name in `custom_agent`."""
        if self._texts is None:
            return []
        repository = access.repository
        ref = f"refs/heads/{repository.default_branch}"
        with outages.told():
            files = await self._texts.below(principal.actor, repository, ref, profiles.DIRECTORY)
        return [profile for profile in profiles.read(files)[0] if profile.by_user]

"""Which custom agents a repository has, for whoever may read it."""

from __future__ import annotations

from collections.abc import Sequence

from journeyman.agent.acp import External
from journeyman.agent.customisation import profiles
from journeyman.agent.customisation.profiles import Profile
from journeyman.domain.principals import Principal
from journeyman.forge import Access, Texts
from journeyman.service import outages


class CustomAgents:
    def __init__(self, texts: Texts | None, externals: Sequence[External] = ()) -> None:
        """*texts*: None for a forge that shows none; then repositories have none to choose from.

        *externals*: agents of others, which every repository has.
        """
        self._texts = texts
        self._externals = [
            Profile(
                id=one.id,
                path="",
                name=one.name,
                description=one.description or "An agent over the Agent Client Protocol.",
                prompt="",
            )
            for one in externals
        ]

    async def list(self, principal: Principal, access: Access) -> Sequence[Profile]:
        """Those of the default branch that a user may name in `custom_agent`."""
        if self._texts is None:
            return self._externals
        repository = access.repository
        ref = f"refs/heads/{repository.default_branch}"
        with outages.told():
            files = await self._texts.below(principal.actor, repository, ref, profiles.DIRECTORY)
        own = [profile for profile in profiles.read(files)[0] if profile.by_user]
        return [*own, *self._externals]

"""Which custom agents a repository has, for whoever may read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from journeyman.agent.customisation import profiles
from journeyman.agent.customisation.profiles import Profile
from journeyman.domain.repositories import Repository
from journeyman.forge import Access
from journeyman.service import outages


class Texts(Protocol):
    """The files of a forge's repositories."""

    async def below(
        self, repository: Repository, ref: str, directory: str
    ) -> Mapping[str, str]: ...


class CustomAgents:
    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def list(self, access: Access) -> Sequence[Profile]:
        """Those of the default branch that a user may name in `custom_agent`."""
        repository = access.repository
        ref = f"refs/heads/{repository.default_branch}"
        with outages.told():
            files = await self._texts.below(repository, ref, profiles.DIRECTORY)
        return [profile for profile in profiles.read(files)[0] if profile.by_user]

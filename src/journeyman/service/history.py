"""What a repository of the embedded forge holds, for whoever may read it: branches and commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from journeyman.domain.errors import not_found
from journeyman.domain.history import ChangedFile, Commit, Tips
from journeyman.domain.repositories import Repository
from journeyman.forge import Access
from journeyman.service import outages

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""Git's name for no files at all: what a first commit is compared with."""


class History(Protocol):
    """What the embedded forge's repositories hold."""

    async def tips(self, repository: Repository) -> Tips: ...

    async def resolve(self, repository: Repository, ref: str) -> str | None: ...

    async def commits(
        self, repository: Repository, base: str, head: str, *, skip: int = 0, most: int = 250
    ) -> Sequence[Commit]: ...

    async def commit(self, repository: Repository, sha: str) -> Commit: ...

    async def count(self, repository: Repository, base: str, head: str) -> int: ...

    async def merge_base(self, repository: Repository, one: str, other: str) -> str: ...

    async def changed_files(
        self, repository: Repository, before: str, after: str
    ) -> Sequence[ChangedFile]: ...

    async def diff(self, repository: Repository, before: str, after: str) -> bytes: ...

    async def patch(self, repository: Repository, base: str, head: str) -> bytes: ...


class Histories:
    def __init__(self, history: History) -> None:
        self._history = history

    async def tips(self, access: Access) -> Tips:
        with outages.told():
            return await self._history.tips(access.repository)

    async def commit(self, access: Access, ref: str) -> tuple[Commit, Sequence[ChangedFile]]:
        """What a branch, a tag or the id of a commit names, and what it changed."""
        repository = access.repository
        with outages.told():
            sha = await self._history.resolve(repository, ref)
            if sha is None:
                raise not_found(f"{repository.full_name} has no commit {ref[:100]!r}.")
            commit = await self._history.commit(repository, sha)
            before = commit.parents[0] if commit.parents else EMPTY_TREE
            return commit, await self._history.changed_files(repository, before, sha)

    async def tip_commit(self, access: Access, branch: str) -> Commit:
        tips = await self.tips(access)
        if branch not in tips:
            raise not_found(f"{access.repository.full_name} has no branch {branch[:100]!r}.")
        with outages.told():
            return await self._history.commit(access.repository, tips[branch])

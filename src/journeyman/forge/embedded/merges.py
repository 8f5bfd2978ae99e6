"""Merges in a bare repository: trees and commits are written, nothing is ever checked out.

Knows nothing of pull requests or of who may merge.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from journeyman import git
from journeyman.domain.history import (
    Commit,
    MergeMethod,
    MergePlan,
    NotMergeable,
    Signature,
)
from journeyman.domain.repositories import Repository
from journeyman.forge.embedded.history import History, text, unreadable
from journeyman.forge.embedded.upstreams import Upstreams
from journeyman.git import GitError

MOST_REBASED = 250


class Merges:
    def __init__(self, path: Callable[[int], Path], history: History, upstreams: Upstreams) -> None:
        self._path = path
        self._upstreams = upstreams
        self._history = history

    async def is_clean(self, repository: Repository, base: str, head: str) -> bool:
        try:
            await self._merged_tree(repository, base, head)
        except NotMergeable:
            return False
        return True

    async def prepare(self, repository: Repository, plan: MergePlan) -> str:
        """The commit that the base branch is to end with; no branch is moved yet."""
        match plan.method:
            case MergeMethod.REBASE:
                return await self._rebased(repository, plan)
            case MergeMethod.MERGE:
                return await self._joined(repository, plan, (plan.base_sha, plan.head_sha))
            case MergeMethod.SQUASH:
                return await self._joined(repository, plan, (plan.base_sha,))

    async def carry_out(self, repository: Repository, plan: MergePlan, prepared: str) -> None:
        """The base branch ends with *prepared*, first where the repository's home is.
        NotMergeable: it has moved since."""
        ref = f"refs/heads/{plan.base_ref}"
        await self._upstreams.move(repository, ref, prepared, plan.base_sha)
        await self._move(repository, ref, prepared, plan.base_sha)

    async def keep(self, repository: Repository, number: int, head: str) -> None:
        """`refs/pull/<number>/head`, as GitHub has it: what was proposed outlives its branch."""
        try:
            await self._run(repository, "update-ref", f"refs/pull/{number}/head", head)
        except GitError as error:
            raise unreadable(repository, error) from error

    async def _joined(
        self, repository: Repository, plan: MergePlan, parents: tuple[str, ...]
    ) -> str:
        tree = await self._merged_tree(repository, plan.base_sha, plan.head_sha)
        return await self._commit(
            repository, tree, parents, plan.message, plan.committer, plan.committer
        )

    async def _rebased(self, repository: Repository, plan: MergePlan) -> str:
        """Each commit again on top of the base, by its own author."""
        commits = await self._history.commits(
            repository, plan.base_sha, plan.head_sha, most=MOST_REBASED + 1
        )
        if len(commits) > MOST_REBASED or any(len(commit.parents) != 1 for commit in commits):
            raise NotMergeable("This branch can't be rebased: it has merges or too many commits.")
        tip = plan.base_sha
        for commit in commits:
            tip = await self._on_top(repository, tip, commit, plan.committer)
        return tip

    async def _on_top(
        self, repository: Repository, tip: str, commit: Commit, committer: Signature
    ) -> str:
        if commit.parents == (tip,):
            return commit.sha
        # merge-tree finds the merge base by itself: a commit with the tip's tree on the commit's
        # own parent makes it that parent (`--merge-base` came with git 2.40).
        tree = (await self._history.commit(repository, tip)).tree
        standin = await self._commit(repository, tree, commit.parents, "", committer, committer)
        merged = await self._merged_tree(repository, standin, commit.sha)
        return await self._commit(
            repository, merged, (tip,), commit.message, commit.author, committer
        )

    async def _merged_tree(self, repository: Repository, one: str, other: str) -> str:
        try:
            output = await self._run(repository, "merge-tree", "--write-tree", one, other)
        except GitError as error:
            if error.exit_code == 1 or "unrelated histories" in error.output:
                raise NotMergeable("Pull Request is not mergeable") from error
            raise unreadable(repository, error) from error
        return text(output).splitlines()[0]

    async def _commit(
        self,
        repository: Repository,
        tree: str,
        parents: tuple[str, ...],
        message: str,
        author: Signature,
        committer: Signature,
    ) -> str:
        onto = [word for parent in parents for word in ("-p", parent)]
        try:
            output = await self._run(
                repository,
                *("commit-tree", tree, *onto, "-F", "-"),
                stdin=message.encode("utf-8", "replace"),
                env={**signed("AUTHOR", author), **signed("COMMITTER", committer)},
            )
        except GitError as error:
            raise unreadable(repository, error) from error
        return text(output).strip()

    async def _move(self, repository: Repository, ref: str, to: str, expected: str) -> None:
        try:
            await self._run(repository, "update-ref", ref, to, expected)
        except GitError as error:
            raise NotMergeable(
                "Base branch was modified. Review and try the merge again."
            ) from error

    async def _run(
        self,
        repository: Repository,
        *arguments: str,
        stdin: bytes = b"",
        env: dict[str, str] | None = None,
    ) -> bytes:
        return await git.run(
            *arguments, git_dir=self._path(repository.id), stdin=stdin, env=env or {}
        )


def signed(role: str, who: Signature) -> dict[str, str]:
    return {
        f"GIT_{role}_NAME": who.name,
        f"GIT_{role}_EMAIL": who.email,
        f"GIT_{role}_DATE": who.at.isoformat(timespec="seconds"),
    }

"""Pull requests that were merged elsewhere: where their repository has its home, or in a clone from
which the base was pushed.

What was proposed is kept as refs, so that a branch which is gone by then, or a crash, hides
nothing. A squash or a rebase leaves none of the proposed commits in the base: it is not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from journeyman import git
from journeyman.domain.repositories import Pull, PullEnd, Repository
from journeyman.forge.embedded.history import text, unreadable
from journeyman.forge.embedded.records import Records
from journeyman.git import GitError

KEPT = "refs/journeyman/pulls"
"""Below it `<number>/head`, where the branch was when the base had it not, and `<number>/base`."""
HEADS = "refs/heads/"


class MergedElsewhere:
    def __init__(
        self, records: Records, path: Callable[[int], Path], clock: Callable[[], datetime]
    ) -> None:
        self._records = records
        self._path = path
        self._clock = clock

    async def note(self, repository: Repository) -> None:
        """Before a fetch or a push: keep what is proposed. After it: end the open pull requests
        whose commits the base has by now. Raises a ForgeError when the repository cannot be read.
        """
        pulls = await self._records.open_pulls(repository.id)
        if not pulls:
            return
        try:
            refs = await self._refs(repository, HEADS, KEPT)
            for pull in pulls:
                if pull.merging is None:  # begun here: whoever finds it finishes that
                    await self._look(repository, pull, refs)
        except GitError as error:
            raise unreadable(repository, error) from error

    async def _look(self, repository: Repository, pull: Pull, refs: Mapping[str, str]) -> None:
        kept = f"{KEPT}/{pull.number}"
        head, base = refs.get(HEADS + pull.head_ref), refs.get(HEADS + pull.base_ref)
        proposed, cut_from = refs.get(f"{kept}/head"), refs.get(f"{kept}/base")
        if base is None or (base == cut_from and head in (None, proposed)):
            return  # a pair is kept only where the base has not what is proposed
        if head is not None and not await self._holds(repository, base, head):
            lines = f"update {kept}/head {head}\nupdate {kept}/base {base}\n"
            await self._git(repository, "update-ref", "--stdin", stdin=lines.encode())
            return
        # Without one there was nothing to merge: a branch that never was ahead of its base.
        if proposed and cut_from and await self._holds(repository, base, proposed):
            head = head or proposed
            merge = await self._merge(repository, head, base)
            end = PullEnd(self._clock(), head, cut_from, merge_sha=merge)
            await self._git(repository, "update-ref", f"refs/pull/{pull.number}/head", head)
            await self._records.end_merged(pull, end)

    async def _merge(self, repository: Repository, head: str, base: str) -> str:
        """The first commit of the base's own line that has *head*; *head*, where it is on it."""
        found = await self._git(
            repository,
            *("rev-list", "--first-parent", "--ancestry-path", "--reverse", f"{head}..{base}"),
        )
        return (text(found).split() or [head])[0]

    async def _refs(self, repository: Repository, *below: str) -> Mapping[str, str]:
        found = await self._git(
            repository, "for-each-ref", "--format=%(objectname) %(refname)", *below
        )
        lines = (line.partition(" ") for line in text(found).splitlines())
        return {name: sha for sha, _, name in lines}

    async def _holds(self, repository: Repository, branch: str, commit: str) -> bool:
        try:
            await self._git(repository, "merge-base", "--is-ancestor", commit, branch)
        except GitError as error:
            if error.exit_code == 1:
                return False
            raise
        return True

    async def _git(self, repository: Repository, *arguments: str, stdin: bytes = b"") -> bytes:
        return await git.run(*arguments, git_dir=self._path(repository.id), stdin=stdin)

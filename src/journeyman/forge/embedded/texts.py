"""The text files of one directory of a repository of the embedded forge, at its default branch.

Reads only. Knows nothing of who asks, and nothing of what the files say.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from journeyman import git
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.forge import ForgeError
from journeyman.git import GitError

FILE_BYTES = 128 << 10
MOST_FILES = 200


class Texts:
    """*path*: where the git data of a repository is, by its id."""

    def __init__(self, path: Callable[[int], Path]) -> None:
        self._path = path

    async def below(
        self, _actor: Actor, repository: Repository, ref: str, directory: str
    ) -> dict[str, str]:
        """By path; without links, what is too big and what is further down; none without *ref*."""
        git_dir = self._path(repository.id)
        try:
            listed = await git.run("ls-tree", "-z", "-l", ref, "--", directory, git_dir=git_dir)
            found = dict[str, str]()
            for entry in listed.split(b"\0")[:MOST_FILES]:
                head, _, name = entry.partition(b"\t")
                mode, kind, sha, size = head.split() if name else (b"", b"", b"", b"")
                if kind == b"blob" and mode != b"120000" and int(size) <= FILE_BYTES:
                    text = await git.run("cat-file", "blob", sha.decode(), git_dir=git_dir)
                    found[name.decode("utf-8", "replace")] = text.decode("utf-8", "replace")
            return found
        except GitError as error:
            if error.exit_code == 128:
                return {}  # an empty repository has no branch yet
            raise ForgeError(f"The repository could not be read: {error}") from error

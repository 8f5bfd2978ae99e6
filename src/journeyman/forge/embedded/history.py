"""What the embedded forge's repositories hold: branches, commits, and what they changed.

Reads only. Knows nothing of who asks, and nothing of pull requests.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from journeyman import git
from journeyman.domain.history import ChangedFile, Commit, Signature, Tips
from journeyman.domain.repositories import Repository
from journeyman.forge import ForgeError
from journeyman.git import GitError

FIELDS = ("%H", "%T", "%P", "%an", "%ae", "%aI", "%cn", "%ce", "%cI", "%B")
FORMAT = "--format=" + "%x00".join(FIELDS)
EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
SHA = re.compile(r"[0-9a-f]{7,40}")
NO_REF = re.compile(r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|^-")
MOST_BYTES = 16 << 20
"""Of one answer of git; a larger diff is given without its patches."""
STATUSES = {
    "A": "added",
    "D": "removed",
    "M": "modified",
    "R": "renamed",
    "C": "copied",
    "T": "changed",
}
PLAIN = ("--no-color", "--no-ext-diff", "--no-textconv", "--src-prefix=a/", "--dst-prefix=b/")


class History:
    """*path*: where the git data of a repository is, by its id."""

    def __init__(self, path: Callable[[int], Path]) -> None:
        self._path = path

    async def tips(self, repository: Repository) -> Tips:
        output = await self._git(
            repository, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads/"
        )
        lines = (line.partition(" ") for line in text(output).splitlines())
        return {name: sha for sha, _, name in lines}

    async def resolve(self, repository: Repository, ref: str) -> str | None:
        """The commit that a branch, tag, `heads/…`, `tags/…` or at least 7 digits of an id name."""
        if not ref or NO_REF.search(ref) or len(ref) > 240:
            return None
        short = ref.removeprefix("refs/")
        candidates = [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        if short.startswith(("heads/", "tags/", "pull/")):
            candidates.append(f"refs/{short}")
        if SHA.fullmatch(ref):
            candidates.append(ref)
        for candidate in candidates:
            if found := await self._commit_id(repository, candidate):
                return found
        return None

    async def commits(
        self, repository: Repository, base: str, head: str, *, skip: int = 0, most: int = 250
    ) -> Sequence[Commit]:
        """Those of *head* that *base* has not, oldest first."""
        output = await self._git(
            repository, "log", "-z", FORMAT, "--reverse", "--topo-order", f"{base}..{head}", "--"
        )
        return list(parsed_commits(output))[skip : skip + most]

    async def commit(self, repository: Repository, sha: str) -> Commit:
        output = await self._git(repository, "log", "-z", FORMAT, "-1", sha, "--")
        return next(parsed_commits(output))

    async def count(self, repository: Repository, base: str, head: str) -> int:
        output = await self._git(repository, "rev-list", "--count", f"{base}..{head}", "--")
        return int(output)

    async def merge_base(self, repository: Repository, one: str, other: str) -> str:
        """EMPTY_TREE when they have no commit in common."""
        try:
            output = await git.run("merge-base", one, other, git_dir=self._directory(repository))
        except GitError as error:
            if error.exit_code == 1:
                return EMPTY_TREE
            raise unreadable(repository, error) from error
        return text(output).strip()

    async def changed_files(
        self, repository: Repository, before: str, after: str
    ) -> Sequence[ChangedFile]:
        listing = await self._git(
            repository, "diff", "--raw", "--numstat", "-z", "--no-abbrev", "-M", before, after, "--"
        )
        patches = await self._patches(repository, before, after)
        return list(parsed_files(text(listing), patches))

    async def diff(self, repository: Repository, before: str, after: str) -> bytes:
        return await self._git(repository, "diff", *PLAIN, "-M", "--binary", before, after, "--")

    async def patch(self, repository: Repository, base: str, head: str) -> bytes:
        """Each commit as a mail, as `git am` takes it."""
        return await self._git(
            repository, "format-patch", "--stdout", "-M", "--binary", f"{base}..{head}", "--"
        )

    async def _patches(self, repository: Repository, before: str, after: str) -> list[str | None]:
        try:
            output = await git.run(
                *("diff", *PLAIN, "-M", before, after, "--"),
                git_dir=self._directory(repository),
                limit_bytes=MOST_BYTES,
            )
        except GitError as error:
            if error.exit_code is None:
                return []
            raise unreadable(repository, error) from error
        return [hunks(part) for part in ("\n" + text(output)).split("\ndiff --git ")[1:]]

    async def _commit_id(self, repository: Repository, name: str) -> str | None:
        arguments = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        try:
            output = await git.run(*arguments, git_dir=self._directory(repository))
        except GitError:
            return None
        return text(output).strip()

    async def _git(self, repository: Repository, *arguments: str) -> bytes:
        try:
            return await git.run(
                *arguments, git_dir=self._directory(repository), limit_bytes=MOST_BYTES
            )
        except GitError as error:
            raise unreadable(repository, error) from error

    def _directory(self, repository: Repository) -> Path:
        directory = self._path(repository.id)
        if not (directory / "HEAD").is_file():
            raise ForgeError(f"The git data of {repository.full_name} is missing.", permanent=True)
        return directory


def unreadable(repository: Repository, error: GitError) -> ForgeError:
    return ForgeError(f"{repository.full_name} cannot be read: {error.message}")


def text(output: bytes) -> str:
    """Paths and messages may be in any encoding; what is not UTF-8 is shown as such."""
    return output.decode("utf-8", "replace")


def hunks(part: str) -> str | None:
    """A file's patch from its first hunk on, as GitHub gives it."""
    _, mark, rest = part.partition("\n@@")
    return f"@@{rest}".removesuffix("\n") if mark else None


def parsed_commits(output: bytes) -> Iterator[Commit]:
    fields = text(output).split("\0")
    for start in range(0, len(fields) - len(FIELDS) + 1, len(FIELDS)):
        sha, tree, parents, *people, message = fields[start : start + len(FIELDS)]
        author, committer = (Signature(n, e, moment(at)) for n, e, at in (people[:3], people[3:]))
        yield Commit(sha, tree, tuple(parents.split()), message.rstrip("\n"), author, committer)


def moment(at: str) -> datetime:
    return datetime.fromisoformat(at)


def parsed_files(listing: str, patches: Sequence[str | None]) -> Iterator[ChangedFile]:
    """git writes all `--raw` entries, then all `--numstat` ones, in one order; so are *patches*."""
    fields = iter(listing.split("\0"))
    raw, counts = [], []
    for field in fields:
        if field.startswith(":"):
            _, _, old, new, status = field.split(" ")
            names = [next(fields) for _ in range(2 if status[0] in "RC" else 1)]
            raw.append((status[0], old if status[0] == "D" else new, names))
        elif field:
            added, deleted, name = field.split("\t", 2)
            if not name:
                next(fields), next(fields)
            counts.append((number(added), number(deleted)))
    for index, ((status, sha, names), (plus, minus)) in enumerate(zip(raw, counts, strict=True)):
        patch = patches[index] if index < len(patches) else None
        before = names[0] if len(names) == 2 else None
        yield ChangedFile(names[-1], before, STATUSES[status], sha, plus, minus, patch)


def number(count: str) -> int:
    """A binary file has `-` for its lines."""
    return 0 if count == "-" else int(count)

"""The repository's files for its agents, as a commit has them, read inside the sandbox; and the
operator's.

Not from the working tree: the agent must not write its own orders. Knows nothing of what the files
say.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from journeyman.agent.customisation.documents import Problem
from journeyman.agent.customisation.guides import OPERATORS
from journeyman.sandbox import FileRefused, Sandbox

FILE_BYTES = 128 << 10
ALL_BYTES = 4 << 20
MOST_FILES = 500
LIST_BYTES = 1 << 20
TIMEOUT_SECONDS = 60.0
LIST = (
    "set -o pipefail; {{ git ls-tree -r -z --name-only --full-tree {sha} || exit 3; }} | "
    "{{ grep -zE '{pattern}' || true; }}"
)


def of_operator(path: Path | None) -> tuple[str, list[Problem]]:
    """The operator's own file, which lies on the server; it may be changed at any time."""
    if path is None:
        return "", []
    try:
        with path.open("rb") as file:
            return file.read(FILE_BYTES).decode(errors="replace"), []
    except OSError as error:
        return "", [Problem(OPERATORS, f"not used: {error.strerror}")]


@dataclass(frozen=True)
class _Blob:
    path: str
    id: str
    size: int


async def read(
    box: Sandbox, sha: str, patterns: Sequence[str]
) -> tuple[dict[str, str], list[Problem]]:
    """Texts by path for what matches one of *patterns*; links are followed within the commit."""
    pattern = "|".join(patterns)
    try:
        listed = await box.export(LIST.format(sha=sha, pattern=pattern), limit_bytes=LIST_BYTES)
    except FileRefused:
        return {}, [Problem(".", "the files for agents could not be listed; none is used")]
    paths = [path for path in listed.decode("utf-8", "surrogateescape").split("\0") if path]
    problems = [
        Problem(".", f"more than {MOST_FILES} files for agents; the rest is not read")
        for _ in paths[MOST_FILES : MOST_FILES + 1]
    ]
    usable = [path for path in paths[:MOST_FILES] if "\n" not in path]
    blobs = await _sizes(box, sha, usable, problems)
    return await _texts(box, blobs, problems), problems


async def _sizes(
    box: Sandbox, sha: str, paths: Sequence[str], problems: list[Problem]
) -> list[_Blob]:
    asked = "".join(f"{sha}:{path}\n" for path in paths).encode("utf-8", "surrogateescape")
    lines = iter((await _git(box, "--batch-check", asked)).split(b"\n"))
    found, room = list[_Blob](), ALL_BYTES
    for path, line in zip(paths, lines, strict=False):
        head = line.split()
        if len(head) == 3 and head[1] == b"blob":
            blob = _Blob(path, head[0].decode(), int(head[2]))
            if blob.size > FILE_BYTES or blob.size > room:
                problems.append(Problem(path, f"{blob.size} bytes are too many; it is not used"))
            else:
                room -= blob.size
                found.append(blob)
        else:
            if head[:1] in ([b"dangling"], [b"loop"], [b"notdir"], [b"symlink"]):
                next(lines, None)
            problems.append(Problem(path, "a link that leads to no file here; it is not used"))
    return found


async def _texts(box: Sandbox, blobs: Sequence[_Blob], problems: list[Problem]) -> dict[str, str]:
    output = await _git(box, "--batch", "".join(f"{b.id}\n" for b in blobs).encode())
    texts = dict[str, str]()
    for blob, data in zip(blobs, _contents(output), strict=False):
        try:
            texts[_shown(blob.path)] = data.decode()
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            problems.append(Problem(_shown(blob.path), "not UTF-8; read as well as can be", line))
            texts[_shown(blob.path)] = data.decode("utf-8", "replace")
    return texts


def _contents(output: bytes) -> Iterator[bytes]:
    """`id type size`, a line end, the content, a line end; and so on."""
    at = 0
    while (end := output.find(b"\n", at)) >= 0:
        size = int(output[at:end].rsplit(b" ", 1)[-1])
        yield output[end + 1 : end + 1 + size]
        at = end + size + 2


async def _git(box: Sandbox, mode: str, asked: bytes) -> bytes:
    if not asked:
        return b""
    extra = "--follow-symlinks" if mode == "--batch-check" else "--buffer"
    command = ["git", "cat-file", mode, extra]
    ended = await box.exec(
        command, stdin=asked, timeout_seconds=TIMEOUT_SECONDS, limit_bytes=2 * ALL_BYTES
    )
    return ended.output if ended.exit_code == 0 and not ended.truncated else b""


def _shown(path: str) -> str:
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")

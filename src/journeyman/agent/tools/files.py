"""Reading and writing the sandbox's files, in the words that the file tools share.

Knows nothing of the host: every path is resolved inside.
"""

from __future__ import annotations

import posixpath
from collections.abc import Sequence
from dataclasses import dataclass

from journeyman.agent.tools.toolbox import ToolError
from journeyman.sandbox import WORKSPACE, FileRefused, Sandbox

FILE_BYTES = 8 << 20
PROBE_SECONDS = 30.0


@dataclass(frozen=True)
class Found:
    """What is at a path, links followed: `find`'s letter for its type, permission bits, bytes."""

    type: str
    mode: int
    size: int


def absolute(path: str) -> str:
    return posixpath.normpath(posixpath.join(WORKSPACE, path))


def touched(path: str) -> tuple[str, ...]:
    """*path* from the root of the repository; nothing for one outside."""
    where = posixpath.relpath(absolute(path), WORKSPACE)
    return () if where == "." or where.startswith("../") else (where,)


async def find(box: Sandbox, path: str) -> Found | None:
    """None when nothing is there."""
    command = ["find", "-L", absolute(path), "-maxdepth", "0", "-printf", "%y %m %s"]
    ended = await box.exec(command, timeout_seconds=PROBE_SECONDS)
    if ended.exit_code != 0:
        return None
    kind, mode, size = ended.output.decode(errors="replace").split()
    return Found(kind, int(mode, 8), int(size))


async def read(box: Sandbox, path: str) -> bytes:
    """A regular file's content; ToolError says why not."""
    try:
        return await box.read(absolute(path), limit_bytes=FILE_BYTES)
    except FileRefused as error:
        raise ToolError(await _why_not(box, path)) from error


async def write(box: Sandbox, path: str, data: bytes, *, mode: int) -> None:
    try:
        await box.write(absolute(path), data, mode=mode)
    except FileRefused as error:
        raise ToolError(f"{path} could not be written: {error}") from error


async def _why_not(box: Sandbox, path: str) -> str:
    match await find(box, path):
        case None:
            return f"There is no {path}."
        case Found(type="d"):
            return f"{path} is a directory."
        case Found(type="f", size=size) if size > FILE_BYTES:
            return f"{path} has {size} bytes, too many at once; use bash (sed -n, grep) on it."
        case _:
            return f"{path} is not a regular file."


def numbered(lines: Sequence[str], first: int) -> str:
    """Lines with their numbers, *first* being the first one's."""
    return "\n".join(f"{number:>6}\t{line}" for number, line in enumerate(lines, first))

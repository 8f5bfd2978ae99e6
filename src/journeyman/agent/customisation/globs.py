"""Patterns of paths as `applyTo` has them. Knows nothing of files: it compares texts.

`*` stays within a directory, `**` crosses them, `*.py` means the root only, `{a,b}` either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

MOST_PATTERNS = 64
"""What the braces of one value may come to."""


def patterns(value: str) -> list[str]:
    """The patterns of a comma-separated value, braces written out."""
    found = list[str]()
    for part in _split(value):
        for pattern in _expanded(part.strip()):
            if len(found) == MOST_PATTERNS:
                return found
            if pattern:
                found.append(pattern)
    return found


def everywhere(pattern: str) -> bool:
    return pattern in ("**", "**/*")


def matches(pattern: str, path: str) -> bool:
    """Whether *path*, from the root of the repository, is one that *pattern* means."""
    wanted = pattern.removeprefix("./").removeprefix("/").split("/")
    return _matches([part for part in wanted if part], path.split("/"))


def _matches(wanted: Sequence[str], parts: Sequence[str]) -> bool:
    """Row by row over the pattern: linear in the path however many `**` there are."""
    reached = {0}
    for index, part in enumerate(wanted):
        if part == "**":
            last = index == len(wanted) - 1
            start = min(reached, default=len(parts) + 1)
            # The last ** needs something below it; another one may stand for no directory at all.
            reached = set(range(start + last, len(parts) + 1))
        else:
            reached = {at + 1 for at in reached if at < len(parts) and fnmatchcase(parts[at], part)}
    return len(parts) in reached


def _split(value: str) -> Iterator[str]:
    """At the commas that are not inside braces."""
    depth, start = 0, 0
    for at, char in enumerate(value):
        depth += (char == "{") - (char == "}")
        if char == "," and depth <= 0:
            yield value[start:at]
            start = at + 1
    yield value[start:]


def _expanded(pattern: str) -> Iterator[str]:
    waiting = [pattern]
    for _ in range(4 * MOST_PATTERNS):
        if not waiting:
            return
        one = waiting.pop(0)
        found = re.search(r"\{([^{}]*,[^{}]*)\}", one)
        if found is None:
            yield one
        else:
            waiting[:0] = [
                one[: found.start()] + c + one[found.end() :] for c in found[1].split(",")
            ]

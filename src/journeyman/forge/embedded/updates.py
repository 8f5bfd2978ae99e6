"""What a push asks for, and what of it git has done."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from journeyman import git
from journeyman.domain.pushes import Update

MOST = 10_000
"""A push of more refs is told in part."""
LIST_LIMIT = 64 << 20
_COMMAND = re.compile(rb"([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (refs/[^\0\n]+)")


def asked(body: IO[bytes]) -> list[Update]:
    """The commands at the beginning of what `receive-pack` reads; *body* is at its start again."""
    found = []
    for line in _lines(body):
        if match := _COMMAND.match(line):
            before, after, ref = (part.decode("utf-8", "replace") for part in match.groups())
            found.append(Update(ref, before, after))
    body.seek(0)
    return found


async def done(updates: Sequence[Update], repository: Path) -> list[Update]:
    """Those of *updates* that are so in *repository* now."""
    if not updates:
        return []
    listed = await git.run(
        "for-each-ref",
        "--format=%(objectname) %(refname)",
        git_dir=repository,
        limit_bytes=64 << 20,
    )
    lines = (line.split(" ", 1) for line in listed.decode("utf-8", "replace").splitlines())
    now = {ref: sha for sha, ref in lines}
    return [one for one in updates if now.get(one.ref, "0" * len(one.after)) == one.after]


def _lines(body: IO[bytes]) -> Iterator[bytes]:
    """Packet lines up to the first that ends a list (gitprotocol-common)."""
    for _ in range(MOST):
        head = body.read(4)
        try:
            size = int(head, 16)
        except ValueError:
            return
        if size <= 4:
            return
        yield body.read(size - 4)

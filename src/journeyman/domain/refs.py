"""Names of branches, as git allows them."""

from __future__ import annotations

import re

_NO_BRANCH = re.compile(
    r"[\x00-\x20\x7f~^:?*\[\\\ud800-\udfff]|\.\.|@\{|//|^[/.-]|[/.]$|/\.|\.lock(/|$)|^(@|HEAD|)$"
)
"""What git allows in no branch's name (git-check-ref-format)."""
LONGEST = 240
"""Bytes; a file system holds no longer name."""


def can_be_branch(name: str) -> bool:
    return not _NO_BRANCH.search(name) and len(name.encode()) <= LONGEST

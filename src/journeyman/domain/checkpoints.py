"""The state of a workspace that outlives its machine."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Checkpoint:
    """The whole working tree after a turn, untracked files included, as commits in a git bundle."""

    sha: str
    """A commit of the working tree, on top of *head_sha* or the same."""
    head_sha: str
    """Where the agent's branch stood."""
    tree: str
    changed_files: int
    """Against the commit that the session started from."""
    bundle: bytes | None = field(repr=False)
    """Everything between the session's base commit and *sha*; None when there is nothing."""

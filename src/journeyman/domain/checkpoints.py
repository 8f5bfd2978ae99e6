"""The state of a workspace that outlives its machine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Checkpoint:
    """The whole working tree at one moment, new files that are not ignored included, as commits.

    All but *bundle* may be shown and stored as text.
    """

    sha: str
    """The commit that holds the whole working tree; *head_sha* when nothing is uncommitted."""
    head_sha: str
    """Where the agent's branch stood."""
    tree: str
    changed_files: int
    """Files that differ between the session's base commit and *sha*."""
    bundle: bytes | None = field(default=None, repr=False)
    """A git bundle of all commits from the base to *sha*; None when *sha* is the base or older."""

    @property
    def without_bundle(self) -> Checkpoint:
        """What a run remembers of it: the bundle may have hundreds of megabytes."""
        return replace(self, bundle=None)

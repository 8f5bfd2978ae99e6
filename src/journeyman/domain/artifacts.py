"""What a task produced."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class BranchArtifact:
    head_ref: str
    base_ref: str


@dataclass(frozen=True)
class PullArtifact:
    id: int
    """The pull request's database id, as GitHub's contract wants it; not its number."""
    number: int


Artifact = BranchArtifact | PullArtifact

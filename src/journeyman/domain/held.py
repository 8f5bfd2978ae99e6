"""A session as the worker that has just taken it finds it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from journeyman.domain.artifacts import Artifact, BranchArtifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event
from journeyman.domain.principals import Actor
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import Session


@dataclass(frozen=True)
class Held:
    session: Session
    repository: Repository
    actor: Actor
    """The user that asked: what is done on the forge is done for them."""
    task_name: str
    log: Sequence[Event]
    checkpoint: Checkpoint | None
    artifacts: Sequence[Artifact]
    earlier: Sequence[Event] = ()
    """Of the task's sessions before this one: what was said, kept and decided."""
    origin_sha: str | None = None
    """Where the first of those began; None: there is none that began."""

    @property
    def pushed(self) -> bool:
        """Whether the session's branch is there because of an earlier push of this task."""
        return any(
            isinstance(made, BranchArtifact) and made.head_ref == self.session.head_ref
            for made in self.artifacts
        )

"""What a run may write down, and read, of the session it holds: the runner's side of the system
of record."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from journeyman.domain.artifacts import Artifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, NewEvent
from journeyman.domain.sessions import Reason, Session, State


class Ledger(Protocol):
    """Every write raises LeaseLost once another worker has taken the session."""

    async def append(self, held: Session, new: Sequence[NewEvent]) -> list[Event]:
        """All of *new* in one transaction."""
        ...

    def publish(self, held: Session, entry: NewEvent) -> None:
        """Show an ephemeral entry to whoever is watching; it is not stored."""
        ...

    async def drain(self, held: Session) -> list[Event]:
        """What users have sent since the last call, as events of the log."""
        ...

    async def begin(
        self, held: Session, base_sha: str, started: NewEvent
    ) -> tuple[Session, list[Event]]:
        """Work starts from *base_sha*: the session as it is then, and what was logged.

        It may have ended meanwhile; then nothing is logged.
        """
        ...

    async def save(self, held: Session, checkpoint: Checkpoint) -> list[Event]: ...

    async def kept(self, held: Session) -> Checkpoint | None:
        """What was saved last, with its bundle."""
        ...

    async def add_artifact(self, held: Session, made: Artifact) -> None:
        """Once per task, however often it is told."""
        ...

    async def rest(
        self,
        held: Session,
        state: State,
        *,
        reason: Reason | None = None,
        message: str | None = None,
        despite_messages: bool = False,
    ) -> bool:
        """To a state that waits for the user; False when a message is there and it must go on."""
        ...

    async def finish(
        self,
        held: Session,
        state: State,
        *,
        reason: Reason | None = None,
        message: str | None = None,
    ) -> bool:
        """End the session; False when a message has come meanwhile and it must go on."""
        ...

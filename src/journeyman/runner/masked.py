"""A ledger that writes nothing down as it is told: secrets are hidden first, whoever writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from journeyman.agent.masking import Mask
from journeyman.domain.artifacts import Artifact
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, NewEvent
from journeyman.domain.sessions import Reason, Session, State
from journeyman.runner.ledger import Ledger


@dataclass(frozen=True)
class Masked:
    """The Ledger *behind*, in front of which *mask* hides secrets."""

    behind: Ledger
    mask: Mask

    async def append(self, held: Session, new: Sequence[NewEvent]) -> list[Event]:
        return await self.behind.append(held, [self.mask.event(entry) for entry in new])

    def publish(self, held: Session, entry: NewEvent) -> None:
        self.behind.publish(held, self.mask.event(entry))

    async def drain(self, held: Session) -> list[Event]:
        """What users said is theirs to show, and stays as they said it."""
        return await self.behind.drain(held)

    async def begin(
        self, held: Session, base_sha: str, started: NewEvent
    ) -> tuple[Session, list[Event]]:
        return await self.behind.begin(held, base_sha, self.mask.event(started))

    async def save(self, held: Session, checkpoint: Checkpoint) -> list[Event]:
        return await self.behind.save(held, checkpoint)

    async def kept(self, held: Session) -> Checkpoint | None:
        return await self.behind.kept(held)

    async def add_artifact(self, held: Session, made: Artifact) -> None:
        await self.behind.add_artifact(held, made)

    async def rest(
        self,
        held: Session,
        state: State,
        *,
        reason: Reason | None = None,
        message: str | None = None,
        despite_messages: bool = False,
    ) -> bool:
        return await self.behind.rest(
            held,
            state,
            reason=reason,
            message=self._text(message),
            despite_messages=despite_messages,
        )

    async def finish(
        self,
        held: Session,
        state: State,
        *,
        reason: Reason | None = None,
        message: str | None = None,
    ) -> bool:
        return await self.behind.finish(held, state, reason=reason, message=self._text(message))

    def _text(self, message: str | None) -> str | None:
        return None if message is None else self.mask.text(message)

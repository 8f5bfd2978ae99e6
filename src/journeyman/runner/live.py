"""The live parts of one run in one process: what its steps work with, and all of them change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from journeyman.agent.conversation import Conversation
from journeyman.agent.customisation.profiles import Profile
from journeyman.agent.customisation.repository import Customisation
from journeyman.agent.hooks import Hooks
from journeyman.agent.masking import Mask
from journeyman.agent.tools import Helper, Jobs, Toolbox
from journeyman.domain.checkpoints import Checkpoint
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.held import Held
from journeyman.domain.limits import Meter
from journeyman.llm import Model
from journeyman.runner import words
from journeyman.runner.checks import Checked
from journeyman.runner.equipment import Equipment
from journeyman.runner.external import Engaged
from journeyman.runner.refusals import Refusals
from journeyman.runner.servers import Servers
from journeyman.sandbox import Sandbox


@dataclass
class Run:
    """The live parts of one run in one process."""

    held: Held
    equipment: Equipment
    base_sha: str
    box: Sandbox
    another_box: Callable[[], Awaitable[Sandbox | None]]
    """One over the same files, once `box` is closed, with a mirror that is whole; None when it
    cannot be had."""
    jobs: Jobs
    model: Model
    conversation: Conversation
    helpers: Mapping[str, Helper]
    """The sub-agents that it may call."""
    customisation: Customisation
    refusals: Refusals
    profile: Profile | None
    """The custom agent that was asked for."""
    mask: Mask
    servers: Servers
    """The MCP servers."""
    hooks: Hooks
    hooks_in: Callable[[Sandbox], Hooks]
    """The same, for another box; what they may look back at begins anew."""
    checkpoint: Checkpoint | None
    """Without its bundle, which is in the store."""
    ours: set[str]
    """Where the branch may stand because of this session: a push over anything else is refused."""
    meter: Meter
    checked: Checked
    saving: asyncio.Task[None] | None = None
    """Keeps the files of the last turn while the model is asked for the next one."""
    external: Engaged | None = None
    """The agent of others that does the work, in place of our own."""
    toolbox: Toolbox | None = None
    newest: Event | None = None
    """Of the log."""
    description: str = ""
    """What the pull request says, as the agent last told it."""

    async def emit(self, new: Sequence[NewEvent]) -> Sequence[Event]:
        if any(entry.type is EventType.MESSAGE for entry in new):
            # What the reply asks for changes the files again; and whoever reads it in the log may
            # rely on what came before it.
            await self.saved()
        made = await self.equipment.ledger.append(self.held.session, new)
        for event in made:
            self._note(event)
        return made

    async def append(self, *new: NewEvent) -> None:
        """To the log, and to the conversation."""
        self.hear(await self.equipment.ledger.append(self.held.session, new))

    def publish(self, entry: NewEvent) -> None:
        self.equipment.ledger.publish(self.held.session, entry)

    def hear(self, events: Sequence[Event]) -> None:
        """Take what was logged from outside the agent's loop into the conversation."""
        for event in events:
            self.conversation.apply(event)
            self._note(event)

    def _note(self, event: Event) -> None:
        self.newest = event
        if self.external is not None:
            self.external.at_work.note(event)
        self.meter.apply(event)
        self.checked.apply(event)
        self.hooks.note([event])

    async def saved(self) -> None:
        """Wait for what is being saved. Raises what the saving does: the run is not ours, …"""
        if self.saving is not None:
            await self.saving
            self.saving = None

    @property
    def trailers(self) -> tuple[str, ...]:
        return trailers(self.held, self.equipment)


def trailers(held: Held, equipment: Equipment) -> tuple[str, ...]:
    return words.trailers(held.actor.account, equipment.log_url(held), equipment.forge.noreply)

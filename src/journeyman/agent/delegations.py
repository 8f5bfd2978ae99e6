"""Sub-agents: how their work lies within the log of the agent that called them.

Each entry of theirs carries the call that began it, so that the fold can tell them apart. Knows
nothing of tools.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Protocol

from pydantic_ai.messages import ToolCallPart

from journeyman.agent.conversation import Conversation
from journeyman.agent.tools import Delegation, Result
from journeyman.domain.events import Event, EventType, NewEvent

MOST_TURNS = 100
SHARED = frozenset({EventType.MODEL_CHANGE})
"""What is said of the session, not of one agent in it."""


class Above(Protocol):
    """Of a turn's means: where live entries go."""

    @property
    def publish(self) -> Callable[[NewEvent], None]: ...


@dataclass(frozen=True)
class Within:
    """`emit` and `publish` for a sub-agent, by way of the agent that called it."""

    call: ToolCallPart
    means: Above
    append: Callable[..., Awaitable[None]]

    async def emit(self, events: Sequence[NewEvent]) -> Sequence[Event]:
        """None are handed back: whoever is above has applied them, here too."""
        await self.append(*map(self._marked, events))
        return ()

    def publish(self, event: NewEvent) -> None:
        self.means.publish(self._marked(event))

    def _marked(self, event: NewEvent) -> NewEvent:
        if event.type in SHARED:
            return event
        return replace(event, data={**event.data, "parentToolCallId": self.call.tool_call_id})


def given(delegation: Delegation, context: str = "") -> NewEvent:
    """What a sub-agent is asked to do; *context* comes before."""
    content = f"{context}\n\n{delegation.prompt}" if context else delegation.prompt
    return NewEvent(EventType.USER_MESSAGE, {"content": content, "source": "agent"})


def stop(child: Conversation, above: Conversation) -> str | None:
    """Why the sub-agent must not go on; None: it may."""
    if above.wrapping_up:
        return "A limit of the session is near"
    if child.turns >= MOST_TURNS and child.end is None:
        return f"It has had {MOST_TURNS} replies without coming to an end"
    return None


def stopped(why: str, child: Conversation) -> str:
    said = child.last_words
    return f"The sub-agent was stopped: {why}." + (f" It last said:\n{said}" if said else "")


def result(child: Conversation) -> Result:
    return Result(child.summary or "The sub-agent ended without a word.")


def seconds(child: Conversation) -> float:
    began = child.began_at or datetime.now(UTC)
    return max(0.0, (datetime.now(UTC) - began).total_seconds())

"""A model that says what another one said: it plays a recording, for replays and for benchmarks.

Which reply is due follows from the conversation alone, so that resumed sessions and sub-agents get
theirs.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from journeyman.domain.recordings import NotARecording, Recording, load
from journeyman.llm import Delta, Facts, ModelError, OnDelta, Reply
from journeyman.llm.provider import Options


class Recorded:
    """A provider whose `base_url` is a file; it has one model for each name that is configured."""

    def __init__(self, options: Options) -> None:
        self.name = options.name
        self.models = options.models
        self._path = Path(options.base_url or "")
        self._read: Recording | None = None

    def model(self, name: str) -> Player:
        return Player(f"{self.name}:{name}", self)

    def facts(self, name: str) -> Facts:
        """It says what it has said, whatever it is asked, and for nothing."""
        return Facts(input_price=0.0, output_price=0.0)

    async def recording(self) -> Recording:
        if self._read is None:
            try:
                text = await asyncio.to_thread(self._path.read_text, "utf-8")
                self._read = load(text)
            except (OSError, NotARecording, UnicodeDecodeError) as error:
                what = f"{self._path} cannot be played: {error}"
                raise ModelError(what, permanent=True) from error
        return self._read

    async def aclose(self) -> None:
        self._read = None


class Player:
    """One conversation after the other, each from its first reply on."""

    window_tokens = 1 << 40
    """Room is never made: a reply is found by how many came before it."""

    def __init__(self, id_: str, provider: Recorded) -> None:
        self.id = id_
        self._provider = provider

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        recording = await self._provider.recording()
        thread = recording.threads.get(_first_words(messages))
        if thread is None:
            raise ModelError("the recording has no conversation that begins so", permanent=True)
        number = [*map(type, messages)].count(ModelResponse)
        replies = recording.replies[thread]
        if number >= len(replies):
            raise ModelError(f"the recording ends after {number} replies", permanent=True)
        said = replies[number]
        on_delta(Delta(text=said.content, reasoning=said.reasoning))
        parts: list[ModelResponsePart] = []
        if said.reasoning:
            parts.append(ThinkingPart(said.reasoning))
        if said.content:
            parts.append(TextPart(said.content))
        for call in said.calls:
            given = call["arguments"]
            arguments = given if isinstance(given, str) else json.dumps(given)
            parts.append(ToolCallPart(call["name"], arguments, call["id"]))
        return Reply(
            message=ModelResponse(parts=parts, model_name=recording.model, finish_reason="stop"),
            model=recording.model,
            input_tokens=0,
            output_tokens=0,
            cache_read_tokens=0,
            cache_write_tokens=0,
            cost_nano_credits=0,
        )


def _first_words(messages: Sequence[ModelMessage]) -> str:
    """What the user, or another agent, said first."""
    parts = (p for m in messages if isinstance(m, ModelRequest) for p in m.parts)
    first = next((p.content for p in parts if isinstance(p, UserPromptPart)), "")
    return first if isinstance(first, str) else "".join(p for p in first if isinstance(p, str))

"""Room in the model's window: watches how full it is, and has the conversation made shorter.

Rarely, since each time costs the provider's cache. Knows nothing of tools.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from pydantic_ai.messages import ModelMessage, ModelRequest, UserPromptPart
from pydantic_ai.tools import ToolDefinition

from journeyman.agent import compaction, entries
from journeyman.agent.conversation import Conversation
from journeyman.agent.text import clean
from journeyman.domain.events import EventType, NewEvent
from journeyman.llm import Model, ModelError

BLANK_SHARE = 0.70
SUMMARISE_SHARE = 0.85
KEPT_TURNS = 10
KEPT_SHARE = 0.35
TAIL_SHARE = 0.25
WORTH_SHARE = 0.10
"""Of the window: blanking less than this is not worth the loss of the cache."""
AGAIN_SHARE = 0.03
"""How much a conversation grows before it is looked through for something to blank again."""
SUMMARY_CHARS = 16_000

Append = Callable[..., Awaitable[None]]


async def _nothing() -> None:
    return


class Room:
    def __init__(
        self,
        conversation: Conversation,
        model: Model,
        tools: list[ToolDefinition],
        append: Append,
        *,
        before: Callable[[], Awaitable[None]] = _nothing,
    ) -> None:
        """*before*: awaited before anything is made shorter."""
        self._before = before
        self._conversation = conversation
        self._model = model
        self._tools = tools
        self._append = append

    async def make(self) -> None:
        """Before a request: nothing while there is room."""
        window, conversation = self._model.window_tokens, self._conversation
        used = conversation.next_tokens
        if used <= window * BLANK_SHARE:
            return
        # Looking through all of it at every step would take longer, the longer it is.
        again = window * AGAIN_SHARE
        if used // again != conversation.former_tokens // again:
            used -= await self._blanked(used, window)
        if used > window * SUMMARISE_SHARE:
            await self._summarise(used, window)

    async def force(self) -> None:
        """After the provider has refused the request for its length."""
        used = self._conversation.next_tokens
        await self._summarise(used, min(used, self._model.window_tokens))

    async def _blanked(self, used: int, window: int) -> int:
        """How many tokens have been freed; 0 where that is not worth it."""
        messages = self._conversation.messages
        until = compaction.blank_until(messages, int(window * KEPT_SHARE), KEPT_TURNS)
        freed = compaction.tokens(messages) - compaction.tokens(compaction.blanked(messages, until))
        if freed <= window * WORTH_SHARE:
            return 0
        await self._blank(until, used, used - freed)
        return freed

    async def _blank(self, until: int, before: int, after: int) -> None:
        await self._before()
        data = {"kind": "truncated", "tokensBefore": before, "tokensAfter": after}
        record = {"blank_until": until, "tokens": after}
        await self._append(NewEvent(EventType.COMPACTION, data, record))

    async def _summarise(self, before: int, window: int) -> None:
        await self._before()
        messages = self._conversation.messages
        start = compaction.tail_from(messages, int(window * TAIL_SHARE))
        summary, usage = await self._summary(messages)
        results = sum(
            part.part_kind == "tool-return"
            for message in messages[start:]
            for part in message.parts
        )
        room = int(window * TAIL_SHARE * compaction.CHARS_PER_TOKEN)
        record: dict[str, Any] = {
            "summary": summary,
            "keep_from": start,
            "result_chars": max(room // max(results, 1), 500),
        }
        data = {
            "kind": "summarised",
            "tokensBefore": before,
            "messagesRemoved": max(start - 1, 0),
            "summaryContent": summary,
        }
        await self._append(*usage, NewEvent(EventType.COMPACTION, data, record))

    async def _summary(self, messages: list[ModelMessage]) -> tuple[str, list[NewEvent]]:
        """By the model where it can; of the results only what it has not seen blanked."""
        short = compaction.blanked(messages, len(messages))
        for history in (messages, short):
            request = [*history, ModelRequest(parts=[UserPromptPart(compaction.ASK)])]
            try:
                reply = await self._model.reply(request, self._tools, on_delta=lambda delta: None)
            except ModelError:
                continue
            usage = [NewEvent(EventType.USAGE, entries.usage_data(reply, 0.0))]
            if text := clean(reply.message.text or "").strip():
                return text[:SUMMARY_CHARS], usage
            return compaction.plain_summary(messages[1:]), usage
        return compaction.plain_summary(messages[1:]), []

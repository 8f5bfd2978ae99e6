"""One turn of the agent: a model's reply and the tools it asked for.

Every fact is appended to the log before the next thing happens, so a turn that dies anywhere is
taken up from the log alone. Knows nothing of queues, providers, sandboxes or the store.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai.messages import (
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)

from journeyman.agent import verdict
from journeyman.agent.conversation import Conversation, record_of_message, record_of_part
from journeyman.agent.live import Live
from journeyman.agent.text import clean, clean_json, clip, plain
from journeyman.agent.tools import Asking, Result, Tool, Toolbox, ToolError
from journeyman.agent.verdict import Verdict
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.sessions import Reason
from journeyman.llm import ContextOverflow, Delta, Model, ModelError, ModelRefused, Reply
from journeyman.sandbox import SandboxLost

Emit = Callable[[Sequence[NewEvent]], Awaitable[Sequence[Event]]]
"""Append all or none; raises when this worker no longer owns the session."""
Publish = Callable[[NewEvent], None]
"""Show to those who watch now; never stored."""

PARALLEL = 8
INTERRUPTED = (
    "Interrupted: the worker was lost before this had a result. The files are as they were last "
    "saved, so what this changed is gone; effects elsewhere may remain. Look before you repeat it."
)
NOT_RUN = "Not run: an earlier call of the same reply was interrupted. Repeat it if it still fits."


@dataclass(frozen=True)
class Retries:
    """How often a reply is asked for, and how long to wait in between."""

    attempts: int = 6
    first_seconds: float = 1.0
    most_seconds: float = 60.0
    most_asked_seconds: float = 300.0
    """The longest wait that a provider may ask for."""

    def delay_seconds(self, attempt: int, error: ModelError) -> float:
        if error.retry_after_seconds is not None:
            return min(error.retry_after_seconds, self.most_asked_seconds)
        ceiling = min(self.first_seconds * 2.0 ** (attempt - 1), self.most_seconds)
        return ceiling * random.uniform(0.5, 1.0)  # noqa: S311 - spreads retries, guards nothing


RETRIES = Retries()


async def turn(
    conversation: Conversation,
    *,
    model: Model,
    tools: Toolbox,
    emit: Emit,
    publish: Publish,
    retries: Retries = RETRIES,
) -> Verdict:
    """Take *conversation* one step on; it is changed by the events that were appended.

    Calls that an earlier worker left open are settled first, and are a turn of their own. Raises
    what *emit* raises, SandboxLost, and nothing of the model's or the tools' making.
    """
    step = _Turn(conversation, model, tools, emit, publish, retries)
    if conversation.question is not None:
        return verdict.waiting(conversation.question.text)
    if conversation.pending:
        await step.settle_lost()
        return await step.run_calls()
    if conversation.end is not None:
        return conversation.end
    await step.append(NewEvent(EventType.TURN_START, {"turnId": str(conversation.turns + 1)}))
    try:
        reply, message_id, seconds = await step.ask_model()
    except (ModelRefused, ContextOverflow) as error:
        return verdict.failed(Reason.MODEL_REFUSED, str(error))
    except ModelError as error:
        return verdict.failed(Reason.MODEL_UNAVAILABLE, str(error))
    await step.record(reply, message_id, seconds)
    return conversation.end or await step.run_calls()


@dataclass
class _Turn:
    conversation: Conversation
    model: Model
    tools: Toolbox
    emit: Emit
    publish: Publish
    retries: Retries
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def append(self, *events: NewEvent) -> None:
        if events:
            async with self.writing:
                for event in await self.emit(events):
                    self.conversation.apply(event)

    async def ask_model(self) -> tuple[Reply, str, float]:
        """The reply, its message's id, and the seconds it took. Raises ModelError at last."""
        for attempt in itertools.count(1):
            message_id, started = uuid.uuid4().hex, time.monotonic()
            try:
                return await self._attempt(message_id), message_id, time.monotonic() - started
            except ModelError as error:
                if error.permanent or attempt >= self.retries.attempts:
                    raise
                delay = self.retries.delay_seconds(attempt, error)
                data = {"attempt": attempt, "error": clean(str(error)), "delay": int(delay * 1000)}
                await self.append(NewEvent(EventType.MODEL_RETRY, data))
                await asyncio.sleep(delay)
        raise AssertionError("unreachable: count() has no end")

    async def _attempt(self, message_id: str) -> Reply:
        def show(kind: EventType) -> Callable[[str], None]:
            return lambda text: self.publish(
                NewEvent(kind, {"messageId": message_id, "deltaContent": text})
            )

        with (
            Live(show(EventType.MESSAGE_DELTA)) as text,
            Live(show(EventType.REASONING_DELTA)) as reasoning,
        ):

            def on_delta(delta: Delta) -> None:
                if delta.reasoning:
                    reasoning.add(delta.reasoning)
                if delta.text:
                    text.add(delta.text)

            reply = await self.model.reply(
                self.conversation.messages, self.tools.definitions, on_delta=on_delta
            )
        if not reply.message.tool_calls and not (reply.message.text or "").strip():
            raise ModelError(f"{self.model.id} answered with neither a text nor a tool call")
        return reply

    async def record(self, reply: Reply, message_id: str, seconds: float) -> None:
        """The reply, what it cost, and the start of its first calls, in one transaction."""
        message = _storable(reply.message, self.conversation)
        record = record_of_message(message)
        if reply.failure is not None:
            failure = reply.failure
            record["failure"] = {"reason": str(failure.reason), "message": clean(failure.message)}
        first = next(self._groups(message.tool_calls), [])
        await self.append(
            NewEvent(EventType.MESSAGE, _message_data(message, message_id), record),
            NewEvent(EventType.USAGE, _usage_data(reply, seconds)),
            *([] if self._asking(message.tool_calls) else map(self._start, first)),
        )

    async def settle_lost(self) -> None:
        """Give a result to each call whose worker died: it is told, not run again blindly.

        What changes files is not run either after a loss before it: it may have relied on that.
        """
        conversation = self.conversation
        pending = list(conversation.pending.values())
        begun = [call for call in pending if call.tool_call_id in conversation.started]
        await self.append(*(_lost(call, INTERRUPTED) for call in begun))
        if conversation.lost:
            rest = [call for call in conversation.pending.values() if self._changes(call)]
            await self.append(*(_lost(call, NOT_RUN) for call in rest))

    async def run_calls(self) -> Verdict:
        """Run what is pending: calls that only read at once, those that change in their order."""
        calls = list(self.conversation.pending.values())
        if (asking := self._asking(self.conversation.calls)) is not None:
            await self.append(_input_requested(calls[0], asking))
            return verdict.waiting(asking.question)
        for group in self._groups(calls):
            begun = self.conversation.started
            await self.append(*(self._start(c) for c in group if c.tool_call_id not in begun))
            await self._complete(group)
        return verdict.CONTINUE

    def _groups(self, calls: Sequence[ToolCallPart]) -> Iterator[list[ToolCallPart]]:
        for changes, run in itertools.groupby(calls, self._changes):
            group = list(run)
            size = 1 if changes else PARALLEL
            yield from (group[start : start + size] for start in range(0, len(group), size))

    def _changes(self, call: ToolCallPart) -> bool:
        tool = self.tools.find(call.tool_name)
        return tool is not None and not tool.read_only

    def _start(self, call: ToolCallPart) -> NewEvent:
        data = {
            "toolCallId": call.tool_call_id,
            "toolName": call.tool_name,
            "arguments": _arguments(call),
        }
        return NewEvent(EventType.TOOL_START, data, {"changes": self._changes(call)})

    async def _complete(self, group: Sequence[ToolCallPart]) -> None:
        if len(group) == 1:
            await self._call(group[0])
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                for call in group:
                    tasks.create_task(self._call(call))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors

    async def _call(self, call: ToolCallPart) -> None:
        def show(text: str) -> None:
            data = {"toolCallId": call.tool_call_id, "partialOutput": text}
            self.publish(NewEvent(EventType.TOOL_PARTIAL, data))

        started = time.monotonic()
        with Live(show) as live:
            try:
                result = await self._result(call, live)
            except ToolError as error:
                event = _failure(call, clean(str(error)), time.monotonic() - started)
            else:
                event = _completion(call, result, time.monotonic() - started)
        await self.append(event)

    async def _result(self, call: ToolCallPart, live: Live) -> Result:
        tool = self.tools.find(call.tool_name)
        if tool is None:
            names = ", ".join(self.tools.names)
            raise ToolError(f"There is no tool {call.tool_name!r}; there are: {names}.")
        arguments = tool.parse(call)
        try:
            return await tool.run(arguments, live.add)
        except (ToolError, SandboxLost):
            raise
        except Exception as error:  # noqa: BLE001 - a tool's fault is data for the model
            if tool.service:
                raise
            raise ToolError(f"{tool.name} failed: {type(error).__name__}: {error}") from error

    def _asking(self, calls: Sequence[ToolCallPart]) -> Asking | None:
        """The question, when that is all that *calls* are and it can be understood."""
        tool: Tool | None = self.tools.find(calls[0].tool_name) if len(calls) == 1 else None
        if tool is None or tool.ask is None:
            return None
        try:
            return tool.ask(tool.parse(calls[0]))
        except ToolError:
            return None


def _storable(message: ModelResponse, conversation: Conversation) -> ModelResponse:
    """*message* as UTF-8 and with call ids that no other call of the session has.

    Some servers number the calls of each reply from 0, or send no id at all.
    """
    parts: list[ModelResponsePart] = []
    seen = set[str]()
    for index, part in enumerate(message.parts):
        match part:
            case TextPart() | ThinkingPart():
                parts.append(replace(part, content=clean(part.content)))
            case ToolCallPart():
                call_id = clean(part.tool_call_id)
                if not call_id or call_id in seen or call_id in conversation.call_ids:
                    call_id = f"{call_id or 'call'}_{conversation.turns + 1}_{index}"
                seen.add(call_id)
                parts.append(_named(part, call_id))
            case _:
                parts.append(part)
    return replace(message, parts=parts)


def _named(call: ToolCallPart, call_id: str) -> ToolCallPart:
    args = clean(call.args) if isinstance(call.args, str) else clean_json(call.args)
    changed = copy(call)
    changed.tool_name, changed.args, changed.tool_call_id = clean(call.tool_name), args, call_id
    return changed


def _arguments(call: ToolCallPart) -> Any:
    """For readers: an object where it is one, else what the model wrote."""
    try:
        return clean_json(call.args_as_dict(raise_if_invalid=True))
    except (ValueError, AssertionError):
        return clean(call.args if isinstance(call.args, str) else json.dumps(call.args))


def _message_data(message: ModelResponse, message_id: str) -> dict[str, Any]:
    data: dict[str, Any] = {"messageId": message_id, "content": message.text or ""}
    if message.thinking:
        data["reasoningText"] = message.thinking
    if message.tool_calls:
        data["toolRequests"] = [
            {"toolCallId": c.tool_call_id, "name": c.tool_name, "arguments": _arguments(c)}
            for c in message.tool_calls
        ]
    return data


def _usage_data(reply: Reply, seconds: float) -> dict[str, Any]:
    return {
        "model": clean(reply.model),
        "inputTokens": reply.input_tokens,
        "outputTokens": reply.output_tokens,
        "cacheReadTokens": reply.cache_read_tokens,
        "cacheWriteTokens": reply.cache_write_tokens,
        "cost": reply.cost_nano_credits,
        "duration": int(seconds * 1000),
    }


def _completion(call: ToolCallPart, result: Result, seconds: float) -> NewEvent:
    """The whole output for readers, its clipped text for the model."""
    text = clean(result.text)
    part = ToolReturnPart(
        call.tool_name, clip(plain(text)), call.tool_call_id, metadata=result.details or None
    )
    data = {
        "toolCallId": call.tool_call_id,
        "toolName": call.tool_name,
        "success": result.success,
        "result": {"content": text},
        "duration": int(seconds * 1000),
    }
    return NewEvent(EventType.TOOL_COMPLETE, data, record_of_part(part))


def _failure(call: ToolCallPart, message: str, seconds: float) -> NewEvent:
    part = ToolReturnPart(call.tool_name, clip(message), call.tool_call_id, outcome="failed")
    return _unsuccessful(part, message, seconds)


def _lost(call: ToolCallPart, message: str) -> NewEvent:
    part = ToolReturnPart(call.tool_name, message, call.tool_call_id, outcome="interrupted")
    return _unsuccessful(part, message, 0.0)


def _unsuccessful(part: ToolReturnPart, message: str, seconds: float) -> NewEvent:
    data = {
        "toolCallId": part.tool_call_id,
        "toolName": part.tool_name,
        "success": False,
        "error": {"message": message},
        "duration": int(seconds * 1000),
    }
    return NewEvent(EventType.TOOL_COMPLETE, data, record_of_part(part))


def _input_requested(call: ToolCallPart, asking: Asking) -> NewEvent:
    data: dict[str, Any] = {
        "requestId": call.tool_call_id,
        "question": clean(asking.question),
        "allowFreeform": asking.allow_freeform,
    }
    if asking.choices:
        data["choices"] = [clean(choice) for choice in asking.choices]
    return NewEvent(EventType.INPUT_REQUESTED, data)

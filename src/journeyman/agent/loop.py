"""One turn of the agent: a model's reply and the tools it asked for.

Every fact is appended to the log before the next thing happens, so a turn that dies anywhere is
taken up from the log alone. Knows nothing of queues, providers, sandboxes or the store.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace

from pydantic_ai.messages import ToolCallPart

from journeyman.agent import delegations, entries, moments, repetition, verdict
from journeyman.agent.conversation import Conversation, record_of_message
from journeyman.agent.customisation.guides import Guide
from journeyman.agent.hooks import NO_HOOKS, Hooks
from journeyman.agent.live import Live
from journeyman.agent.masking import NO_MASK, Mask
from journeyman.agent.room import Room
from journeyman.agent.text import clean
from journeyman.agent.tools import Asking, Delegation, Result, Tool, Toolbox, ToolError
from journeyman.agent.verdict import Kind, Verdict
from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.domain.sessions import Reason
from journeyman.llm import ContextOverflow, Delta, Model, ModelError, ModelRefused, Reply
from journeyman.sandbox import SandboxLost
from journeyman.telemetry import metrics
from journeyman.telemetry.measured import measured

Emit = Callable[[Sequence[NewEvent]], Awaitable[Sequence[Event]]]
"""Append all or none; raises when this worker no longer owns the session."""
Publish = Callable[[NewEvent], None]
"""Show to those who watch now; never stored."""

PARALLEL = 8
INTERRUPTED = (
    "Interrupted: the worker was lost before this had a result. The files are as they were last "
    "saved, so what this changed is gone; effects elsewhere may remain. Look before you repeat it."
)
CUT_OFF = (
    "Interrupted: this was stopped before it had a result. The files are as it left them. "
    "Look before you repeat it."
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


@dataclass(frozen=True)
class Means:
    """What a turn works with."""

    model: Model
    tools: Toolbox
    emit: Emit
    publish: Publish
    guides: Sequence[Guide] = ()
    """Instructions for some paths: each is told with the first result that touches one."""
    mask: Mask = NO_MASK
    """Hides secrets from the live view, and from what a model is told."""
    retries: Retries = RETRIES
    instead: Callable[[str], str | None] = lambda model_id: None
    """The model that goes on when this one is given up, by id; None: there is none."""
    hooks: Hooks = NO_HOOKS


async def turn(conversation: Conversation, means: Means) -> Verdict:
    """Take *conversation* one step on; it is changed by the events that were appended.

    Calls that an earlier worker left open are settled first, and are a turn of their own. Raises
    what *emit* raises, SandboxLost, and nothing of the model's or the tools' making.
    """
    step = _Turn(conversation, means)
    if conversation.question is not None:
        return verdict.waiting(conversation.question.text)
    if conversation.pending:
        await step.settle_lost()
        return await step.run_calls()
    if conversation.end is not None:
        return conversation.end
    await step.append(entries.turn_start(conversation))
    tools = list(means.tools.definitions)
    room = Room(conversation, means.model, tools, step.append, before=step.compacting)
    await room.make()
    try:
        try:
            reply, message_id, seconds = await step.ask_model()
        except ContextOverflow:
            await room.force()
            reply, message_id, seconds = await step.ask_model()
    except (ModelRefused, ContextOverflow) as error:
        await step.tell_error(error, "model_call", recoverable=False)
        return verdict.failed(Reason.MODEL_REFUSED, str(error))
    except ModelError as error:
        await step.tell_error(error, "model_call", recoverable=False)
        if (other := means.instead(means.model.id)) is None:
            return verdict.failed(Reason.MODEL_UNAVAILABLE, str(error))
        await step.append(entries.model_change(means.model.id, other, str(error)))
        return verdict.CONTINUE
    await step.record(reply, message_id, seconds)
    if conversation.repetition.endless:
        return verdict.failed(Reason.NO_PROGRESS, repetition.STOPPED)
    return conversation.end or await step.run_calls()


@dataclass
class _Turn:
    conversation: Conversation
    means: Means
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
    telling: set[str] = field(default_factory=set)
    """Guides that a result of this turn tells."""

    async def append(self, *events: NewEvent) -> None:
        if events:
            async with self.writing:
                for event in await self.means.emit(events):
                    self.conversation.apply(event)

    async def compacting(self) -> None:
        await moments.compacts(self.means.hooks, self.append)

    async def tell_error(self, error: Exception, where: str, *, recoverable: bool) -> None:
        hooks = self.means.hooks
        await moments.error_occurred(hooks, self.append, error, where, recoverable=recoverable)

    async def ask_model(self) -> tuple[Reply, str, float]:
        """The reply, its message's id, and the seconds it took. Raises ModelError at last."""
        for attempt in itertools.count(1):
            message_id, started = uuid.uuid4().hex, time.monotonic()
            try:
                return await self._attempt(message_id), message_id, time.monotonic() - started
            except ModelError as error:
                if error.permanent or attempt >= self.means.retries.attempts:
                    raise
                delay = self.means.retries.delay_seconds(attempt, error)
                data = {"attempt": attempt, "error": clean(str(error)), "delay": int(delay * 1000)}
                await self.append(NewEvent(EventType.MODEL_RETRY, data))
                await self.tell_error(error, "model_call", recoverable=True)
                await asyncio.sleep(delay)
        raise AssertionError("unreachable: count() has no end")

    async def _attempt(self, message_id: str) -> Reply:
        def show(kind: EventType) -> Callable[[str], None]:
            return lambda text: self.means.publish(
                NewEvent(kind, {"messageId": message_id, "deltaContent": text})
            )

        with (
            Live(show(EventType.MESSAGE_DELTA), self.means.mask) as text,
            Live(show(EventType.REASONING_DELTA), self.means.mask) as reasoning,
        ):

            def on_delta(delta: Delta) -> None:
                if delta.reasoning:
                    reasoning.add(delta.reasoning)
                if delta.text:
                    text.add(delta.text)

            reply = await self.means.model.reply(
                self.conversation.messages, self.means.tools.definitions, on_delta=on_delta
            )
        if not reply.message.tool_calls and not (reply.message.text or "").strip():
            raise ModelError(f"{self.means.model.id} answered with neither a text nor a tool call")
        return reply

    async def record(self, reply: Reply, message_id: str, seconds: float) -> None:
        """The reply, what it cost, and the start of its first calls, in one transaction."""
        message = entries.storable(reply.message, self.conversation)
        record = record_of_message(message)
        if reply.failure is not None:
            failure = reply.failure
            record["failure"] = {"reason": str(failure.reason), "message": clean(failure.message)}
        first = next(self._groups(message.tool_calls), [])
        await self.append(
            NewEvent(EventType.MESSAGE, entries.message_data(message, message_id), record),
            NewEvent(EventType.USAGE, entries.usage_data(reply, seconds)),
            *([] if self._asking(message.tool_calls) else map(self._start, first)),
        )

    async def settle_lost(self) -> None:
        """Give a result to each call that was cut off: it is told, not run again blindly.

        What changes files is not run either after a loss before it: it may have relied on that.
        """
        conversation = self.conversation
        begun = [
            call
            for call in conversation.pending.values()
            if call.tool_call_id in conversation.started and self._delegation(call) is None
        ]
        kept = conversation.started
        told = ((call, CUT_OFF if kept[call.tool_call_id] else INTERRUPTED) for call in begun)
        await self.append(*(entries.lost(call, message) for call, message in told))
        if conversation.lost:
            rest = [call for call in conversation.pending.values() if self._changes(call)]
            await self.append(*(entries.lost(call, NOT_RUN) for call in rest))

    async def run_calls(self) -> Verdict:
        """Run what is pending: calls that only read at once, those that change in their order."""
        calls = list(self.conversation.pending.values())
        if (asking := self._asking(self.conversation.calls)) is not None:
            if not await self._allowed(calls[0]):
                return verdict.CONTINUE
            await self.append(entries.input_requested(calls[0], asking))
            return verdict.waiting(asking.question)
        for group in self._groups(calls):
            begun = self.conversation.started
            await self.append(*(self._start(c) for c in group if c.tool_call_id not in begun))
            await self._complete(group)
            if any(call.tool_call_id in self.conversation.pending for call in group):
                break  # a sub-agent is still at work
        return verdict.CONTINUE

    def _groups(self, calls: Sequence[ToolCallPart]) -> Iterator[list[ToolCallPart]]:
        for changes, run in itertools.groupby(calls, self._changes):
            group = list(run)
            size = 1 if changes else PARALLEL
            yield from (group[start : start + size] for start in range(0, len(group), size))

    def _changes(self, call: ToolCallPart) -> bool:
        tool = self.means.tools.find(call.tool_name)
        return tool is not None and not tool.read_only

    def _start(self, call: ToolCallPart) -> NewEvent:
        data = {
            "toolCallId": call.tool_call_id,
            "toolName": call.tool_name,
            "arguments": entries.arguments_of(call),
        }
        # A hook may change files whatever the tool does.
        changes = self._changes(call) or self.means.hooks.listen(*moments.AROUND_TOOLS)
        return NewEvent(EventType.TOOL_START, data, {"changes": changes})

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
        if (delegation := self._delegation(call)) is not None:
            await self._delegated(call, delegation)
        else:
            await self._run(call)

    async def _delegated(self, call: ToolCallPart, delegation: Delegation) -> None:
        """One turn of a sub-agent, whose events lie within its call's; its last one ends the call.

        So its work is saved, stopped, and taken up again like that of the agent itself.
        """
        child = self.conversation.child(call.tool_call_id)
        child.instruct(delegation.instructions)
        within = delegations.Within(call, self.means, self.append)
        if child.began_at is None:
            if not await self._allowed(call):
                return
            context = await moments.begins(self.means.hooks, self.append, delegation.agent)
            await within.emit([delegations.given(delegation, context)])
        if (stop := delegations.stop(child, self.conversation)) is None:
            means = replace(
                self.means, tools=delegation.tools, emit=within.emit, publish=within.publish
            )
            ended = await turn(child, means)
            if ended.kind is Kind.CONTINUE:
                return
            stop = ended.message if ended.kind is Kind.FAILED else None
        seconds, hooks = delegations.seconds(child), self.means.hooks
        if stop is not None:
            said = delegations.stopped(stop, child)
            said = await moments.after_failure(hooks, self.append, _as_told(call), said)
            await self.append(entries.failure(call, self.means.mask.text(said), seconds))
            return
        result, again = await moments.ends(
            hooks, self.append, delegation.agent, delegations.result(child), forced=child.forced
        )
        if again is not None:
            await within.emit([again])
            return
        result = await moments.after_tool(hooks, self.append, _as_told(call), result)
        result = replace(result, text=self.means.mask.text(result.text))
        await self.append(entries.completion(call, result, seconds))

    async def _allowed(self, call: ToolCallPart) -> bool:
        """Whether hooks let *call* be made; it has its result then, if not."""
        try:
            await moments.before_tool(self.means.hooks, self.append, _as_told(call))
        except moments.Denied as error:
            await self.append(entries.failure(call, self.means.mask.text(str(error)), 0.0))
            return False
        return True

    def _delegation(self, call: ToolCallPart) -> Delegation | None:
        tool = self.means.tools.find(call.tool_name)
        if tool is None or tool.delegate is None:
            return None
        try:
            return tool.delegate(tool.parse(call))
        except ToolError:
            return None

    async def _run(self, call: ToolCallPart) -> None:
        def show(text: str) -> None:
            data = {"toolCallId": call.tool_call_id, "partialOutput": text}
            self.means.publish(NewEvent(EventType.TOOL_PARTIAL, data))

        started = time.monotonic()
        more: Sequence[NewEvent] = ()
        with Live(show, self.means.mask) as live:
            try:
                result = await self._result(call, live)
            except ToolError as error:
                said = self.means.mask.text(clean(str(error)))
                event = entries.failure(call, said, time.monotonic() - started)
            else:
                seconds = time.monotonic() - started
                # before it is clipped: a value that is cut in two would not be found
                result = replace(result, text=self.means.mask.text(result.text))
                words = self.conversation.repetition.words
                guides = self._guides(result.paths)
                event = entries.completion(call, result, seconds, guides, words)
                more = result.events
        await self.append(event, *more)

    async def _result(self, call: ToolCallPart, live: Live) -> Result:
        tool = self.means.tools.find(call.tool_name)
        if tool is None:
            names = ", ".join(self.means.tools.names)
            raise ToolError(f"There is no tool {call.tool_name!r}; there are: {names}.")
        tool.parse(call)
        hooks, asked = self.means.hooks, _as_told(call)
        made = await moments.before_tool(hooks, self.append, asked)
        if made is not asked:
            call = replace(call, args=made.arguments)
        try:
            with _measured(call, "other" if tool.listed else tool.name):
                result = await self._carried_out(tool, call, live)
        except ToolError as error:
            said = self.means.mask.text(clean(str(error)))
            raise ToolError(await moments.after_failure(hooks, self.append, made, said)) from error
        result = replace(result, text=self.means.mask.text(result.text))
        result = await moments.after_tool(hooks, self.append, made, result)
        return moments.noted(result, asked, made)

    async def _carried_out(self, tool: Tool, call: ToolCallPart, live: Live) -> Result:
        arguments = tool.parse(call)
        try:
            return await tool.run(arguments, live.add)
        except (ToolError, SandboxLost):
            raise
        except Exception as error:  # noqa: BLE001 - a tool's fault is data for the model
            if tool.service:
                raise
            await self.tell_error(error, "tool_execution", recoverable=True)
            raise ToolError(f"{tool.name} failed: {type(error).__name__}: {error}") from error

    def _guides(self, paths: Sequence[str]) -> list[Guide]:
        known = self.telling | self.conversation.told
        fresh = [
            guide
            for guide in self.means.guides
            if guide.path not in known and any(map(guide.applies, paths))
        ]
        self.telling.update(guide.path for guide in fresh)
        return fresh

    def _asking(self, calls: Sequence[ToolCallPart]) -> Asking | None:
        """The question, when that is all that *calls* are and it can be understood."""
        tool: Tool | None = self.means.tools.find(calls[0].tool_name) if len(calls) == 1 else None
        if tool is None or tool.ask is None:
            return None
        try:
            return tool.ask(tool.parse(calls[0]))
        except ToolError:
            return None


def _as_told(call: ToolCallPart) -> moments.Call:
    return moments.Call(call.tool_call_id, call.tool_name, entries.arguments_of(call))


def _measured(call: ToolCallPart, label: str) -> AbstractContextManager[object]:
    """By OpenTelemetry's conventions for generative AI; arguments and results are not told.

    *label*: of the metric, which has few: `other` for the tools of MCP servers.
    """
    name = call.tool_name
    attributes = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call.tool_call_id,
        "gen_ai.tool.type": "function",
    }
    return measured(f"execute_tool {name}", metrics.TOOL, label, attributes=attributes)

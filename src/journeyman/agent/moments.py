"""What the answers of hooks mean at each moment of an agent's work, as GitHub's reference says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from journeyman.agent.customisation.hooks import TOOL_NAMES, Moment
from journeyman.agent.hooks import Answer, Append, Hooks
from journeyman.agent.text import clip
from journeyman.agent.tools import Result, ToolError
from journeyman.agent.tools.task import GENERAL
from journeyman.domain.events import EventType, NewEvent

CONTEXT_CHARS = 10_000
"""Of all that hooks add at one moment."""
CHANGED_CHARS = 2_000
AROUND_TOOLS = (Moment.PRE_TOOL_USE, Moment.POST_TOOL_USE, Moment.POST_TOOL_USE_FAILURE)
MOST_FORCED = 8
"""Turns in a row that hooks may force; then the agent ends anyway."""
DENIED = "Denied by preToolUse hook"
CHANGED = "[A hook of this repository has changed the arguments to: {arguments}]"
ADDED = "[A hook of this repository adds:]\n{context}"


class Denied(ToolError):
    """A hook does not let a tool be used."""


@dataclass(frozen=True)
class Call:
    """A tool's call, as hooks are told of it."""

    id: str
    tool: str
    arguments: Any

    @property
    def name(self) -> str:
        return TOOL_NAMES.get(self.tool, self.tool)

    @property
    def fields(self) -> dict[str, Any]:
        return {"toolName": self.name, "toolArgs": self.arguments}


async def before_tool(hooks: Hooks, append: Append, call: Call) -> Call:
    """The call as it is to be made. Raises Denied."""
    answers = await hooks.fire(
        Moment.PRE_TOOL_USE,
        append,
        subject=call.name,
        call_id=call.id,
        until=lambda answer: _denial(answer) is not None,
        **call.fields,
    )
    for answer in answers:
        if (denial := _denial(answer)) is not None:
            raise Denied(denial)
        changed = answer.said.get("modifiedArgs")
        if answer.succeeded and isinstance(changed, dict):
            call = replace(call, arguments=changed)
    return call


def _denial(answer: Answer) -> str | None:
    """A command that fails denies; one that takes too long, or a call that fails, does not."""
    reason = answer.text("permissionDecisionReason")
    if answer.code not in (None, 0):
        reason = reason or (answer.stderr if answer.code == 2 else "")
        return f"{DENIED}: {reason}" if reason else f"{DENIED} (hook errored)"
    if answer.succeeded and answer.said.get("permissionDecision") in ("deny", "ask"):
        return f"{DENIED}: {reason or 'no reason was given'}"
    return None


async def after_tool(hooks: Hooks, append: Append, call: Call, result: Result) -> Result:
    """*result* as the model is to see it."""
    if result.success and hooks.listen(Moment.POST_TOOL_USE):
        result = await _after_success(hooks, append, call, result)
    if result.success:
        return result
    return replace(result, text=await after_failure(hooks, append, call, result.text))


async def _after_success(hooks: Hooks, append: Append, call: Call, result: Result) -> Result:
    answers = await hooks.fire(
        Moment.POST_TOOL_USE,
        append,
        subject=call.name,
        call_id=call.id,
        **call.fields,
        toolResult={"resultType": "success", "textResultForLlm": clip(result.text)},
    )
    for answer in answers:
        changed = answer.said.get("modifiedResult")
        if answer.succeeded and isinstance(changed, dict):
            text, failed = changed.get("textResultForLlm"), changed.get("resultType") == "failure"
            if isinstance(text, str):
                result = replace(result, text=text, success=not failed)
    return replace(result, text=_with(result.text, context(answers)))


async def after_failure(hooks: Hooks, append: Append, call: Call, error: str) -> str:
    """*error* as the model is to see it."""
    if not hooks.listen(Moment.POST_TOOL_USE_FAILURE):
        return error
    answers = await hooks.fire(
        Moment.POST_TOOL_USE_FAILURE,
        append,
        subject=call.name,
        call_id=call.id,
        **call.fields,
        error=clip(error),
    )
    told = [answer.stdout for answer in answers if answer.code == 2 and answer.stdout]
    return _with(error, "\n\n".join([*told, context(answers)]).strip()[:CONTEXT_CHARS])


async def stopping(
    hooks: Hooks, append: Append, moment: Moment, *, forced: int, subject: str = "", **fields: Any
) -> tuple[list[Answer], NewEvent | None]:
    """Before an agent ends: the answers, and the message that makes it go on, if one says so.

    *forced*: how often in a row it went on for a hook.
    """
    answers = await hooks.fire(moment, append, subject=subject, **fields)
    if forced >= MOST_FORCED:
        return answers, None
    for answer in answers:
        reason = answer.text("reason")
        if answer.succeeded and answer.said.get("decision") == "block" and reason:
            return answers, message(reason)
    return answers, None


def message(text: str) -> NewEvent:
    """What hooks say to the agent."""
    data = {"content": text[:CONTEXT_CHARS], "source": "hooks"}
    return NewEvent(EventType.USER_MESSAGE, data)


async def error_occurred(
    hooks: Hooks, append: Append, error: BaseException, where: str, *, recoverable: bool
) -> None:
    """*where*: model_call or tool_execution."""
    told = {"message": str(error)[:CONTEXT_CHARS], "name": type(error).__name__}
    await hooks.fire(
        Moment.ERROR_OCCURRED, append, error=told, errorContext=where, recoverable=recoverable
    )


async def compacts(hooks: Hooks, append: Append) -> None:
    """Before the conversation is made shorter, which is never a user's wish here."""
    await hooks.fire(
        Moment.PRE_COMPACT,
        append,
        subject="auto",
        trigger="auto",
        customInstructions="",
    )


async def begins(hooks: Hooks, append: Append, agent: str) -> str:
    """What hooks add to what a sub-agent is asked to do."""
    if agent == GENERAL:
        return ""
    answers = await hooks.fire(Moment.SUBAGENT_START, append, subject=agent, agentName=agent)
    return context(answers)


async def ends(
    hooks: Hooks, append: Append, agent: str, result: Result, *, forced: int
) -> tuple[Result, NewEvent | None]:
    """A sub-agent's result, and the message that makes it go on, if a hook says so."""
    if agent == GENERAL:
        return result, None
    told = {"agentId": agent, "agentType": agent, "agentName": agent}
    answers, again = await stopping(
        hooks,
        append,
        Moment.SUBAGENT_STOP,
        forced=forced,
        **told,
        response=result.text,
        stopReason="end_turn",
    )
    changed = [
        a.said["modifiedResponse"] for a in answers if a.succeeded and a.text("modifiedResponse")
    ]
    return (replace(result, text=changed[-1]) if changed else result), again


def noted(result: Result, asked: Call, made: Call) -> Result:
    """*result*, which says so when the call was not made as it was asked for."""
    if made is asked:
        return result
    shown = clip(json.dumps(made.arguments, ensure_ascii=False), CHANGED_CHARS)
    return replace(result, text=f"{result.text}\n\n{CHANGED.format(arguments=shown)}")


def context(answers: Sequence[Answer]) -> str:
    """What hooks add to what the agent is told."""
    told = [answer.text("additionalContext") for answer in answers if answer.succeeded]
    return "\n\n".join(filter(None, told))[:CONTEXT_CHARS]


def _with(text: str, context: str) -> str:
    return f"{text}\n\n{ADDED.format(context=context)}" if context else text

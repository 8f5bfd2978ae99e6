"""A conversation made shorter: old results blanked, or all but its ends replaced by a summary.

The same whether lived through or folded from the log. Knows nothing of models or of when.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserPromptPart,
)

from journeyman.agent.text import clip

CHARS_PER_TOKEN = 3.5
"""Code and JSON take more tokens than prose; rather too many than too few."""
BLANK = "[This result was left out to save room. Run the call again if you need it.]"
NO_IMAGE = "\n[Its image was left out to save room.]"
IMAGE_CHARS = 5_000
"""As text; what an image takes of a window differs, and is seldom more."""
SUMMARY = (
    "[The conversation until here was too long for the model and was replaced by this summary:]"
)
ASK = (
    "The conversation is about to be cut, since it no longer fits. Do not call a tool. Write what "
    "you need to go on with the task without having seen it: the goal and every wish of the user "
    "since, in their words; decisions and why; files read and changed, with what matters in them; "
    "commands that work; the state of the tests; what is left to do, in order."
)


def tokens(messages: Iterable[ModelMessage]) -> int:
    """A guess at what *messages* take of a window."""
    return int(sum(_chars(message) for message in messages) / CHARS_PER_TOKEN)


def blank_until(messages: Sequence[ModelMessage], keep_tokens: int, keep_turns: int) -> int:
    """Up to which message results may go: the newest *keep_turns* stay, in *keep_tokens*."""
    used, turns, index = 0, 0, len(messages)
    for index in range(len(messages) - 1, 0, -1):
        used += tokens([messages[index]])
        turns += isinstance(messages[index], ModelResponse)
        if used > keep_tokens or turns > keep_turns:
            break
    return min(index, len(messages) - 1)


def blanked(messages: Sequence[ModelMessage], until: int) -> list[ModelMessage]:
    """*messages* without the long results among the first *until*."""
    return [
        _with_results(message, lambda text: BLANK if len(text) > len(BLANK) else text)
        if index < until
        else message
        for index, message in enumerate(messages)
    ]


def tail_from(messages: Sequence[ModelMessage], keep_tokens: int) -> int:
    """Where the end begins that is kept: at a reply, so that no result lacks its call."""
    used, start = 0, len(messages)
    for index in range(len(messages) - 1, 0, -1):
        used += tokens([messages[index]])
        if isinstance(messages[index], ModelResponse):
            if used > keep_tokens and start < len(messages):
                break
            start = index
    return start


def summarised(
    messages: Sequence[ModelMessage], summary: str, keep_from: int, result_chars: int
) -> list[ModelMessage]:
    """The first request, *summary*, and the end, its results within *result_chars* each."""
    first = messages[0]
    assert isinstance(first, ModelRequest), "a conversation begins with a request"
    told = [part for part in first.parts if not _is_summary(part)]
    head = replace(first, parts=[*told, UserPromptPart(f"{SUMMARY}\n{summary}")])
    end = [_with_results(m, lambda text: clip(text, result_chars)) for m in messages[keep_from:]]
    return [head, *end]


def plan_words(plan: Sequence[Mapping[str, str]]) -> str:
    """The agent's plan, to be kept beside a summary; empty when there is none."""
    if not plan:
        return ""
    lines = [f"- {step['content']} ({step['status'].replace('_', ' ')})" for step in plan]
    return "\n\nThe plan as you last wrote it down:\n" + "\n".join(lines)


def plain_summary(messages: Iterable[ModelMessage]) -> str:
    """What can be said without a model: what the agent said, and what it called."""
    lines = list[str]()
    for message in messages:
        for part in message.parts:
            match part:
                case TextPart(content=text) if text.strip():
                    lines.append(text.strip()[:300])
                case ToolCallPart():
                    lines.append(f"(called {part.tool_name}: {part.args_as_json_str()[:120]})")
                case UserPromptPart(content=str(text)):
                    lines.append(f"The user: {text[:500]}")
    return "\n".join(lines[-60:])


def _is_summary(part: object) -> bool:
    return (
        isinstance(part, UserPromptPart)
        and isinstance(part.content, str)
        and part.content.startswith(SUMMARY)
    )


def _with_results(message: ModelMessage, change: Callable[[str], str]) -> ModelMessage:
    if not isinstance(message, ModelRequest):
        return message
    parts = list(message.parts)
    for index, part in enumerate(parts):
        if type(part) is ToolReturnPart:
            text = change(part.model_response_str(wrap_if_error=False))
            result: ToolReturnPart = part
            parts[index] = replace(result, content=f"{text}{NO_IMAGE}" if part.files else text)
    return replace(message, parts=parts)


def _chars(message: ModelMessage) -> int:
    count = 0
    for part in message.parts:
        match part:
            case ToolCallPart():
                count += len(part.args_as_json_str()) + len(part.tool_name) + 40
            case ToolReturnPart():
                count += len(part.model_response_str(wrap_if_error=False)) + 60
                count += IMAGE_CHARS * len(part.files)
            case TextPart(content=text) | ThinkingPart(content=text):
                count += len(text) + 20
            case UserPromptPart(content=list() as pieces):
                count += sum(len(p) if isinstance(p, str) else IMAGE_CHARS for p in pieces) + 20
            case _:
                content = getattr(part, "content", "")
                count += len(content if isinstance(content, str) else str(content)) + 20
    return count

"""The entries that a turn writes into the log: for readers, and for the fold that reads them back.

Knows nothing of when they are written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import (
    BinaryContent,
    ModelResponse,
    ModelResponsePart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
)

from journeyman.agent.conversation import Conversation, record_of_part
from journeyman.agent.customisation.guides import Guide
from journeyman.agent.text import clean, clean_json, clip, plain
from journeyman.agent.tools import Asking, Result
from journeyman.domain.events import EventType, NewEvent
from journeyman.llm import Reply

NAME_CHARS = 64
_STRANGE = re.compile(r"[^A-Za-z0-9_-]")
"""What providers take in no tool's name, also where it stands in a reply that is sent back."""


def storable(message: ModelResponse, conversation: Conversation) -> ModelResponse:
    """*message* as UTF-8 and with call ids that no other call of the session has: from here on they
    are taken.

    Some servers number the calls of each reply from 0, or send no id at all; and several sub-agents
    may be answered at one time.
    """
    parts: list[ModelResponsePart] = []
    for index, part in enumerate(message.parts):
        match part:
            case TextPart() | ThinkingPart():
                parts.append(replace(part, content=clean(part.content)))
            case ToolCallPart():
                call_id = clean(part.tool_call_id)
                if not call_id or call_id in conversation.call_ids:
                    call_id = f"{call_id or 'call'}_{len(conversation.call_ids)}_{index}"
                conversation.call_ids.add(call_id)
                parts.append(_named(part, call_id))
            case _:
                parts.append(part)
    return replace(message, parts=parts)


def _named(call: ToolCallPart, call_id: str) -> ToolCallPart:
    args = clean(call.args) if isinstance(call.args, str) else clean_json(call.args)
    changed = copy(call)
    changed.tool_name = _STRANGE.sub("_", call.tool_name)[:NAME_CHARS] or "_"
    changed.args, changed.tool_call_id = args, call_id
    return changed


def arguments_of(call: ToolCallPart) -> Any:
    """For readers: an object where it is one, else what the model wrote."""
    try:
        return clean_json(call.args_as_dict(raise_if_invalid=True))
    except (ValueError, AssertionError):
        return clean(call.args if isinstance(call.args, str) else json.dumps(call.args))


def turn_start(conversation: Conversation, **record: str) -> NewEvent:
    """Says when it does not wait for the files to be saved, for whoever resumes from here; *record*
    is for them, too."""
    kept = {**record, "unsaved": True} if conversation.touched else record
    return NewEvent(EventType.TURN_START, {"turnId": str(conversation.turns + 1)}, kept or None)


def model_change(previous: str, new: str, reason: str) -> NewEvent:
    data = {"previousModel": previous, "newModel": new, "reason": clean(reason)}
    return NewEvent(EventType.MODEL_CHANGE, data)


def message_data(message: ModelResponse, message_id: str) -> dict[str, Any]:
    data: dict[str, Any] = {"messageId": message_id, "content": message.text or ""}
    if message.thinking:
        data["reasoningText"] = message.thinking
    if message.tool_calls:
        data["toolRequests"] = [
            {"toolCallId": c.tool_call_id, "name": c.tool_name, "arguments": arguments_of(c)}
            for c in message.tool_calls
        ]
    return data


def usage_data(reply: Reply, seconds: float) -> dict[str, Any]:
    return {
        "model": clean(reply.model),
        "inputTokens": reply.input_tokens,
        "outputTokens": reply.output_tokens,
        "cacheReadTokens": reply.cache_read_tokens,
        "cacheWriteTokens": reply.cache_write_tokens,
        "cost": reply.cost_nano_credits,
        "duration": round(seconds * 1000),
    }


def completion(
    call: ToolCallPart,
    result: Result,
    seconds: float,
    guides: Sequence[Guide] = (),
    words: str = "",
) -> NewEvent:
    """The whole output for readers; for the model its clipped text, *guides* for the paths, and
    *words* of ours."""
    text = clean(result.text)
    seen = "\n\n".join([clip(plain(text)), *map(_told, guides)]) + words
    images = [BinaryContent(image.data, media_type=image.media_type) for image in result.images]
    part = ToolReturnPart(
        call.tool_name,
        [seen, *images] if images else seen,
        call.tool_call_id,
        metadata=result.details or None,
    )
    data: dict[str, Any] = {
        "toolCallId": call.tool_call_id,
        "toolName": call.tool_name,
        "success": result.success,
        "result": {"content": text},
        "duration": round(seconds * 1000),
    }
    record = record_of_part(part)
    if guides:
        data["instructions"] = record["guides"] = [guide.path for guide in guides]
    return NewEvent(EventType.TOOL_COMPLETE, data, record)


def _told(guide: Guide) -> str:
    return (
        "[This repository's maintainers say, for the path above:]\n"
        f'<instructions file="{guide.path}">\n{guide.text}\n</instructions>'
    )


def failure(call: ToolCallPart, message: str, seconds: float) -> NewEvent:
    part = ToolReturnPart(call.tool_name, clip(message), call.tool_call_id, outcome="failed")
    return _unsuccessful(part, message, seconds)


def lost(call: ToolCallPart, message: str) -> NewEvent:
    part = ToolReturnPart(call.tool_name, message, call.tool_call_id, outcome="interrupted")
    return _unsuccessful(part, message, 0.0)


def _unsuccessful(part: ToolReturnPart, message: str, seconds: float) -> NewEvent:
    data = {
        "toolCallId": part.tool_call_id,
        "toolName": part.tool_name,
        "success": False,
        "error": {"message": message},
        "duration": round(seconds * 1000),
    }
    return NewEvent(EventType.TOOL_COMPLETE, data, record_of_part(part))


def input_requested(call: ToolCallPart, asking: Asking) -> NewEvent:
    data: dict[str, Any] = {
        "requestId": call.tool_call_id,
        "question": clean(asking.question),
        "allowFreeform": asking.allow_freeform,
    }
    if asking.choices:
        data["choices"] = [clean(choice) for choice in asking.choices]
    return NewEvent(EventType.INPUT_REQUESTED, data)

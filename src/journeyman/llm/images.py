"""A conversation without its images, for models that take none."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from typing import Any

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ToolReturnPart,
    UserPromptPart,
    is_multi_modal_content,
)

TOLD = "[An image, which this model does not take.]"


def without_images(messages: Sequence[ModelMessage]) -> list[ModelMessage]:
    """*messages*, each image replaced by words; the same objects where there is none."""
    return [
        replace(message, parts=[_plain(part) for part in message.parts])
        if isinstance(message, ModelRequest) and any(map(_has_image, message.parts))
        else message
        for message in messages
    ]


def _has_image(part: ModelRequestPart) -> bool:
    content = part.content if isinstance(part, UserPromptPart | ToolReturnPart) else None
    return isinstance(content, list) and any(map(is_multi_modal_content, content))


def _plain(part: ModelRequestPart) -> ModelRequestPart:
    match part:
        case UserPromptPart(content=list() as items) if _has_image(part):
            return UserPromptPart(_words(items))
        case ToolReturnPart(content=list() as items) if _has_image(part):
            changed = copy(part)
            changed.content = _words(items)
            return changed
        case _:
            return part


def _words(items: Sequence[Any]) -> str:
    return "\n".join(TOLD if is_multi_modal_content(item) else str(item) for item in items)

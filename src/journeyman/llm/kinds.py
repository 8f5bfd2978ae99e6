"""The kinds of providers that can be configured, by the word for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from journeyman.llm import anthropic, bedrock, google, openai
from journeyman.llm.provider import Options
from journeyman.llm.recorded import Recorded
from journeyman.llm.registry import Provider

KINDS: Mapping[str, Callable[[Options], Provider]] = {
    "anthropic": anthropic.messages,
    "bedrock": bedrock.converse,
    "google": google.gemini,
    "openai": openai.responses,
    "openai-compatible": openai.chat,
    "openrouter": openai.openrouter,
    "recorded": Recorded,
}

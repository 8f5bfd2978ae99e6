"""Anthropic's messages format."""

from __future__ import annotations

from pydantic_ai.settings import ModelSettings

from journeyman.llm.provider import Connection, Hosted, Options, without_retries

MAX_OUTPUT_TOKENS = 32_000
"""The format wants a limit; the library's own, 128,000, is more than some models take."""


def messages(options: Options) -> Hosted:
    return Hosted(options, _messages)


def _messages(options: Options) -> Connection:
    from pydantic_ai.models.anthropic import AnthropicModel  # noqa: PLC0415 - slow; not always used
    from pydantic_ai.providers.anthropic import AnthropicProvider  # noqa: PLC0415 - as above

    provider = AnthropicProvider(api_key=options.api_key or "none", base_url=options.base_url)
    settings = ModelSettings(cache=True, max_tokens=options.max_output_tokens or MAX_OUTPUT_TOKENS)
    return Connection(
        lambda name: AnthropicModel(name, provider=provider),
        provider.client.close,
        settings,
        without_retries(provider.client),
    )

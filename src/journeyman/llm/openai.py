"""OpenAI's two wire formats: chat completions, which many servers speak, and responses.

OpenRouter is the first with its own words for reasoning.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from pydantic_ai.settings import ModelSettings

from journeyman.llm.provider import Connection, Hosted, Options, without_retries

OPENAI_HOST = "api.openai.com"
OPENAI_URL = f"https://{OPENAI_HOST}/v1"


def chat(options: Options) -> Hosted:
    """OpenAI, vLLM, Ollama, llama.cpp, a gateway."""
    return Hosted(options, _chat)


def responses(options: Options) -> Hosted:
    """OpenAI's newer format: it keeps the reasoning between the turns."""
    return Hosted(options, _responses)


def openrouter(options: Options) -> Hosted:
    return Hosted(options, _openrouter)


def _chat(options: Options) -> Connection:
    from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415 - slow; not always used

    _skip_request_transform()
    provider = _provider(options)
    return Connection(
        lambda name: OpenAIChatModel(name, provider=provider, profile=_whole_streams),
        provider.client.close,
        refused=without_retries(provider.client),
    )


def _responses(options: Options) -> Connection:
    from pydantic_ai.models.openai import OpenAIResponsesModel, OpenAIResponsesModelSettings  # noqa: PLC0415 - as above

    _skip_request_transform()
    provider = _provider(options)
    # The whole conversation is in our log: nothing of it need stay at the provider.
    settings = OpenAIResponsesModelSettings(openai_store=False)
    return Connection(
        lambda name: OpenAIResponsesModel(name, provider=provider),
        provider.client.close,
        settings,
        without_retries(provider.client),
    )


def _openrouter(options: Options) -> Connection:
    from openai import AsyncOpenAI  # noqa: PLC0415 - slow; not always used
    from pydantic_ai.models.openrouter import OpenRouterModel  # noqa: PLC0415 - as above
    from pydantic_ai.providers.openrouter import OpenRouterProvider  # noqa: PLC0415 - as above

    _skip_request_transform()
    if options.base_url is None:
        provider = OpenRouterProvider(api_key=options.api_key or "none")
    else:
        client = AsyncOpenAI(api_key=options.api_key or "none", base_url=options.base_url)
        provider = OpenRouterProvider(openai_client=client)
    return Connection(
        lambda name: OpenRouterModel(name, provider=provider, profile=_whole_streams),
        provider.client.close,
        ModelSettings(cache=True),
        without_retries(provider.client),
    )


def _whole_streams(profile: Any) -> Any:
    """Without this a stream that breaks off cleanly is read as a finished reply."""
    return {**profile, "openai_chat_streaming_requires_finish_reason": True}


def _provider(options: Options) -> Any:
    """OpenAI's own provider for OpenAI; for everybody else the one that assumes less."""
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415 - imports the SDK
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415 - as above

    key, url = options.api_key or "none", options.base_url or OPENAI_URL
    if urlsplit(url).hostname == OPENAI_HOST:
        return OpenAIProvider(base_url=url, api_key=key)
    return OpenAICompatibleProvider(options.name, base_url=url, api_key=key)


def _skip_request_transform() -> None:
    """Spare the SDK's walk over every message of every request: it blocks the event loop for up to
    a second on long conversations, and what pydantic-ai hands over is in the wire's form already.

    Touches a private name, so only when it is there; without it requests are slower, not different.
    """
    from openai._utils import is_given  # noqa: PLC0415 - imports the SDK
    from openai.resources.chat.completions import completions  # noqa: PLC0415 - as above
    from openai.resources.responses import responses as newer  # noqa: PLC0415 - as above

    async def as_it_is(data: dict[str, Any], expected_type: object) -> dict[str, Any]:
        return {key: value for key, value in data.items() if is_given(value)}

    modules: tuple[Any, ...] = (completions, newer)
    for module in modules:
        if hasattr(module, "async_maybe_transform"):
            module.async_maybe_transform = as_it_is

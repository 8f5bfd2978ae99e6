"""Google's format for Gemini."""

from __future__ import annotations

from pydantic_ai.settings import ModelSettings

from journeyman.llm.provider import Connection, Hosted, Options


def gemini(options: Options) -> Hosted:
    return Hosted(options, _gemini)


def _gemini(options: Options) -> Connection:
    from pydantic_ai.models.google import GoogleModel  # noqa: PLC0415 - slow; not always used
    from pydantic_ai.providers.google import GoogleProvider  # noqa: PLC0415 - as above

    provider = GoogleProvider(api_key=options.api_key or "none", base_url=options.base_url)

    async def close() -> None:
        async with provider:
            pass  # leaving it closes the connections that it made

    return Connection(
        lambda name: GoogleModel(name, provider=provider),
        close,
        ModelSettings(cache=True),
    )

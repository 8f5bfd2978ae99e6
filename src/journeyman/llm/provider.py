"""Providers over pydantic-ai's model layer: one class, whatever the wire format.

An SDK is imported with the first request, since each costs a second and 30 MB. Knows nothing of
the loop; retries nothing.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic_ai import exceptions as failures
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import ModelMessage, ModelResponse
from pydantic_ai.models import Model as WireModel
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import (
    WINDOW_TOKENS,
    Delta,
    Facts,
    ModelError,
    ModelRefused,
    OnDelta,
    Reply,
    translate,
)
from journeyman.llm.images import without_images


@dataclass(frozen=True)
class Options:
    """One provider's configuration."""

    name: str = "openai"
    """The word before the colon in a model's id; prices are those of the provider of this name."""
    base_url: str | None = None
    """None: the provider's own."""
    api_key: str | None = field(default=None, repr=False)
    """None for a server that asks for none, or a provider with other ways to log in."""
    models: tuple[str, ...] = ()
    """Names as the server spells them; the first is preferred by `auto`."""
    stream: bool = True
    max_output_tokens: int | None = None
    """None leaves it to the server."""
    window_tokens: int | None = None
    """What fits into a model; None: as the price list has it."""
    images: bool = True
    """Whether its models take images."""
    region: str | None = None
    """Where Bedrock is asked."""
    first_token_timeout_seconds: float = 180.0
    """Also the longest silence inside a reply."""
    total_timeout_seconds: float = 1200.0


@dataclass(frozen=True)
class Connection:
    """An open client: its models by name, and what each request says beside the conversation."""

    model: Callable[[str], WireModel[Any]]
    close: Callable[[], Awaitable[None]]
    settings: ModelSettings = field(default_factory=ModelSettings)
    refused: frozenset[str] = frozenset()
    """Settings that this client does not take; it has its own way for them."""


def without_retries(client: Any) -> frozenset[str]:
    """Keep an SDK's *client* from retrying for good; what `Connection.refused` then holds: told
    with each request, it would make pydantic-ai copy the client each time."""
    client.max_retries = 0
    return frozenset({"max_retries"})


Wire = Callable[[Options], Connection]
"""Imports an SDK and makes its client; runs in a thread, since that takes a second."""


class Hosted:
    """The provider; its connections are shared by its models and closed by `aclose`."""

    def __init__(self, options: Options, wire: Wire) -> None:
        self.name = options.name
        self.models: Sequence[str] = options.models
        self.options = options
        self._wire = wire
        self._connection: Connection | None = None
        self._connected: dict[str, tuple[WireModel[Any], int]] = {}
        self._facts: dict[str, Facts] = {}
        self._connecting = asyncio.Lock()

    def model(self, name: str) -> HostedModel:
        return HostedModel(self, name)

    def window_tokens(self, name: str) -> int:
        """A guess until the first request has looked it up."""
        known = self._connected.get(name)
        return known[1] if known else self.options.window_tokens or WINDOW_TOKENS

    async def connect(self, name: str) -> tuple[WireModel[Any], Connection]:
        """pydantic-ai's model for *name*, over this provider's one client."""
        async with self._connecting:
            if self._connection is None or name not in self._connected:
                # The first one imports the SDK and the price list: other sessions need not wait.
                made = await asyncio.to_thread(self._connect, name)
                self._connection, self._connected[name] = made
            return self._connected[name][0], self._connection

    def _connect(self, name: str) -> tuple[Connection, tuple[WireModel[Any], int]]:
        connection = self._connection or self._wire(self.options)
        listed = self.facts(name).window_tokens
        if self._connection is None:
            # The SDK and the price list stay: looking through them for garbage holds up every
            # session. Once, since what sessions have at that moment stays with them.
            gc.freeze()
        return connection, (connection.model(name), listed or WINDOW_TOKENS)

    def facts(self, name: str) -> Facts:
        """See Provider.facts."""
        if name not in self._facts:
            listed = translate.facts(name, self.name)
            window = self.options.window_tokens or listed.window_tokens
            self._facts[name] = replace(listed, window_tokens=window, images=self.options.images)
        return self._facts[name]

    async def aclose(self) -> None:
        if self._connection is not None:
            connection, self._connection = self._connection, None
            self._connected.clear()
            await connection.close()


class HostedModel:
    """One model of a provider."""

    def __init__(self, provider: Hosted, name: str) -> None:
        self.id = f"{provider.name}:{name}"
        self._provider = provider
        self._name = name
        self._options = provider.options

    @property
    def window_tokens(self) -> int:
        return self._provider.window_tokens(self._name)

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        try:
            message = await self._request(messages, tools, on_delta)
        except failures.AgentRunError as error:
            raise translate.failure(error, self.id, self._options.base_url) from error
        except (ValueError, TypeError, AttributeError) as error:
            # The SDK lets what is not JSON, or JSON of another shape, through as these.
            raise ModelError(
                f"{self.id} answered with something that is not a reply: {error}"
            ) from error
        if message.finish_reason is None or message.state != "complete":
            raise ModelError(f"the reply of {self.id} broke off before its end")
        if message.finish_reason == "content_filter":
            raise ModelRefused(f"{self.id} filtered its reply to this conversation", permanent=True)
        return translate.reply(message, self._name)

    async def _request(
        self, messages: Sequence[ModelMessage], tools: Sequence[ToolDefinition], on_delta: OnDelta
    ) -> ModelResponse:
        model, connection = await self._provider.connect(self._name)
        settings = self._settings(connection)
        if not self._options.images:
            messages = without_images(messages)
        parameters = ModelRequestParameters(function_tools=list(tools))
        if not self._options.stream:
            message = await model_request(
                model, messages, model_settings=settings, model_request_parameters=parameters
            )
            on_delta(Delta(text=message.text or "", reasoning=message.thinking or ""))
            return message
        async with model_request_stream(
            model, messages, model_settings=settings, model_request_parameters=parameters
        ) as stream:
            async for event in stream:
                if (piece := translate.delta(event)) is not None:
                    on_delta(piece)
            return stream.get()

    def _settings(self, connection: Connection) -> ModelSettings:
        options = self._options
        settings = ModelSettings(
            timeout=options.first_token_timeout_seconds,
            request_timeout=options.total_timeout_seconds,
            first_event_timeout=options.first_token_timeout_seconds,
            max_retries=0,
        )
        if options.max_output_tokens is not None:
            settings["max_tokens"] = options.max_output_tokens
        for name in connection.refused:
            settings.pop(name, None)  # type: ignore[misc]
        return settings | connection.settings

"""One provider that speaks OpenAI's chat-completions format: OpenAI, vLLM, Ollama, a gateway.

A thin layer over pydantic-ai's model layer; the SDK is imported with the first request, since it
costs a second and 30 MB. Knows nothing of the loop; retries nothing.
"""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic_ai import exceptions as failures
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.messages import (
    ModelMessage,
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import ContextOverflow, Delta, ModelError, ModelRefused, OnDelta, Reply

if TYPE_CHECKING:
    from pydantic_ai.models.openai import OpenAIChatModel

OPENAI_HOST = "api.openai.com"
NANO_CREDITS_PER_DOLLAR = 100 * 10**9
TRANSIENT_STATUS = frozenset({408, 409, 425, 429})


@dataclass(frozen=True)
class Options:
    """One provider's configuration."""

    name: str = "openai"
    """The word before the colon in a model's id; prices are those of the provider of this name."""
    base_url: str = f"https://{OPENAI_HOST}/v1"
    api_key: str | None = field(default=None, repr=False)
    """None for a server that asks for none."""
    models: tuple[str, ...] = ()
    """Names as the server spells them; the first is preferred by `auto`."""
    stream: bool = True
    max_output_tokens: int | None = None
    """None leaves it to the server."""
    first_token_timeout_seconds: float = 180.0
    """Also the longest silence inside a reply."""
    total_timeout_seconds: float = 1200.0


class OpenAICompatible:
    """The provider; its connections are shared by its models and closed by `aclose`."""

    def __init__(self, options: Options) -> None:
        self.name = options.name
        self.models: Sequence[str] = options.models
        self._options = options
        self._provider: Any = None
        self._connected: dict[str, OpenAIChatModel] = {}
        self._connecting = asyncio.Lock()

    def model(self, name: str) -> ChatModel:
        return ChatModel(self, name, self._options)

    async def connect(self, name: str) -> OpenAIChatModel:
        """pydantic-ai's model for *name*, over this provider's one client."""
        async with self._connecting:
            if name not in self._connected:
                # The first one imports the SDK and the price list: other sessions need not wait.
                self._connected[name] = await asyncio.to_thread(self._connect, name)
            return self._connected[name]

    def _connect(self, name: str) -> OpenAIChatModel:
        from pydantic_ai.models.openai import OpenAIChatModel  # noqa: PLC0415 - slow; not always used
        from pydantic_ai.profiles.openai import OpenAIModelProfile  # noqa: PLC0415 - as above

        if self._provider is None:
            self._provider = _provider(self._options)
            _skip_request_transform()
        # Without this a stream that breaks off cleanly is read as a finished reply.
        profile = OpenAIModelProfile(openai_chat_streaming_requires_finish_reason=True)
        return OpenAIChatModel(name, provider=self._provider, profile=profile)

    async def aclose(self) -> None:
        if self._provider is not None:
            provider, self._provider = self._provider, None
            self._connected.clear()
            await provider.client.close()


class ChatModel:
    """One model of an OpenAI-compatible provider."""

    def __init__(self, provider: OpenAICompatible, name: str, options: Options) -> None:
        self.id = f"{provider.name}:{name}"
        self._provider = provider
        self._name = name
        self._options = options

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
            raise self._translated(error) from error
        except (ValueError, TypeError, AttributeError) as error:
            # The SDK lets what is not JSON, or JSON of another shape, through as these.
            raise ModelError(
                f"{self.id} answered with something that is not a reply: {error}"
            ) from error
        if message.finish_reason is None or message.state != "complete":
            raise ModelError(f"the reply of {self.id} broke off before its end")
        if message.finish_reason == "content_filter":
            raise ModelRefused(f"{self.id} filtered its reply to this conversation", permanent=True)
        return _reply(message, self._name)

    async def _request(
        self, messages: Sequence[ModelMessage], tools: Sequence[ToolDefinition], on_delta: OnDelta
    ) -> ModelResponse:
        model = await self._provider.connect(self._name)
        settings = self._settings()
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
                if (delta := _delta(event)) is not None:
                    on_delta(delta)
            return stream.get()

    def _settings(self) -> ModelSettings:
        options = self._options
        settings = ModelSettings(
            timeout=options.first_token_timeout_seconds,
            request_timeout=options.total_timeout_seconds,
            first_event_timeout=options.first_token_timeout_seconds,
            max_retries=0,
        )
        if options.max_output_tokens is not None:
            settings["max_tokens"] = options.max_output_tokens
        return settings

    def _translated(self, error: failures.AgentRunError) -> ModelError:
        said = _said(error)
        match error:
            case failures.ModelContextWindowExceededError():
                return ContextOverflow(
                    f"the conversation no longer fits into {self.id}: {said}", permanent=True
                )
            case failures.ContentFilterError():
                return ModelRefused(f"{self.id} declined: {said}", permanent=True)
            case failures.ModelAuthenticationError():
                hint = f"check the API key of provider {self._provider.name!r} and what it may use"
                return ModelError(
                    f"{self.id} refused the credentials ({said}); {hint}", permanent=True
                )
            case failures.ModelNotFoundError():
                hint = f"check the model's name and base_url {self._options.base_url!r}"
                return ModelError(f"{self.id} was not found ({said}); {hint}", permanent=True)
            case failures.ModelQuotaExceededError():
                hint = "top it up or choose another model"
                return ModelError(
                    f"the account behind {self.id} is used up ({said}); {hint}", permanent=True
                )
            case failures.ModelAPIError() if _is_transient(error):
                return ModelError(f"{self.id}: {said}", retry_after_seconds=error.retry_after)
            case failures.ModelAPIError():
                return ModelRefused(f"{self.id} rejected the request: {said}", permanent=True)
            case _:
                return ModelError(f"{self.id} answered with something that is not a reply: {said}")


def _is_transient(error: failures.ModelAPIError) -> bool:
    if isinstance(error, failures.ModelHTTPError):
        return error.status_code >= 500 or error.status_code in TRANSIENT_STATUS
    return not isinstance(error, failures.ModelRequestRejectedError)


def _said(error: failures.AgentRunError) -> str:
    """The provider's own words where there are some, within 500 characters."""
    text = error.message
    if isinstance(error, failures.ModelHTTPError):
        body = error.body
        if isinstance(body, dict) and isinstance(inner := body.get("message"), str):
            text = f"{error.status_code}, {inner}"
        else:
            text = f"status {error.status_code}"
    return " ".join(text.split())[:500]


def _delta(event: ModelResponseStreamEvent) -> Delta | None:
    match event:
        case PartStartEvent(part=TextPart(content=text)) if text:
            return Delta(text=text)
        case PartStartEvent(part=ThinkingPart(content=text)) if text:
            return Delta(reasoning=text)
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)) if text:
            return Delta(text=text)
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=text)) if text:
            return Delta(reasoning=text)
        case _:
            return None


def _reply(message: ModelResponse, asked: str) -> Reply:
    usage = message.usage
    return Reply(
        message=message,
        model=message.model_name or asked,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read_tokens=usage.cache_read_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cost_nano_credits=_cost(message),
    )


def _cost(message: ModelResponse) -> int | None:
    """The price of this one reply, since a sum of tokens would miss the tiers; None: not known."""
    if not message.usage.output_tokens:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            dollars = message.cost().total_price
    except (LookupError, ValueError, AssertionError):
        return None
    return int((dollars * NANO_CREDITS_PER_DOLLAR).to_integral_value(ROUND_HALF_UP))


def _provider(options: Options) -> Any:
    """OpenAI's own provider for OpenAI; for everybody else the one that assumes less."""
    from pydantic_ai.providers.openai import OpenAIProvider  # noqa: PLC0415 - imports the SDK
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider  # noqa: PLC0415 - as above

    key = options.api_key or "none"
    if urlsplit(options.base_url).hostname == OPENAI_HOST:
        return OpenAIProvider(base_url=options.base_url, api_key=key)
    return OpenAICompatibleProvider(options.name, base_url=options.base_url, api_key=key)


def _skip_request_transform() -> None:
    """Spare the SDK's walk over every message of every request: it blocks the event loop for up to
    a second on long conversations, and what pydantic-ai hands over is in the wire's form already.

    Touches a private name, so only when it is there; without it requests are slower, not different.
    """
    from openai._utils import is_given  # noqa: PLC0415 - imports the SDK
    from openai.resources.chat.completions import completions  # noqa: PLC0415 - as above

    async def as_it_is(data: dict[str, Any], expected_type: object) -> dict[str, Any]:
        return {key: value for key, value in data.items() if is_given(value)}

    if hasattr(completions, "async_maybe_transform"):
        completions.async_maybe_transform = as_it_is

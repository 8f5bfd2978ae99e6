"""A model as an operator sees it: requests timed, tokens and money counted, each request a span
by OpenTelemetry's conventions for generative AI.

https://github.com/open-telemetry/semantic-conventions-genai (docs/gen-ai/gen-ai-spans.md). What was
said is never part of a span.
"""

from __future__ import annotations

from collections.abc import Sequence

from pydantic_ai.messages import ModelMessage
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import Model, OnDelta, Reply
from journeyman.telemetry import carried, metrics
from journeyman.telemetry.measured import measured
from journeyman.telemetry.traces import Span, SpanKind

PROVIDERS = {"bedrock": "aws.bedrock", "google": "gcp.gemini"}
"""The conventions' names for providers that are called otherwise here."""
NANO_CREDITS_PER_DOLLAR = 100 * 10**9


class Observed:
    """*inner*, and what it did is told. Its id is one that is configured, so there are few."""

    def __init__(self, inner: Model) -> None:
        self.id = inner.id
        self._inner = inner

    @property
    def window_tokens(self) -> int:
        return self._inner.window_tokens

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        provider, _, name = self.id.rpartition(":")
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": PROVIDERS.get(provider, provider or self.id),
            "gen_ai.request.model": name,
            "gen_ai.conversation.id": carried.bound("session_id"),
        }
        with measured(
            f"chat {name}", metrics.MODEL, self.id, attributes=attributes, kind=SpanKind.CLIENT
        ) as span:
            reply = await self._inner.reply(messages, tools, on_delta=on_delta)
            self._count(reply)
            _describe(span, reply)
            return reply

    def _count(self, reply: Reply) -> None:
        for kind, tokens in (
            ("input", reply.input_tokens),
            ("output", reply.output_tokens),
            ("cache_read", reply.cache_read_tokens),
            ("cache_write", reply.cache_write_tokens),
        ):
            metrics.TOKENS.labels(self.id, kind).inc(tokens)
        if reply.cost_nano_credits is not None:
            metrics.COST.labels(self.id).inc(reply.cost_nano_credits / NANO_CREDITS_PER_DOLLAR)


def _describe(span: Span, reply: Reply) -> None:
    span.set_attribute("gen_ai.response.model", reply.model)
    span.set_attribute("gen_ai.usage.input_tokens", reply.input_tokens)
    span.set_attribute("gen_ai.usage.output_tokens", reply.output_tokens)
    span.set_attribute("gen_ai.usage.cache_read.input_tokens", reply.cache_read_tokens)
    span.set_attribute("gen_ai.usage.cache_creation.input_tokens", reply.cache_write_tokens)
    if reply.message.finish_reason is not None:
        span.set_attribute("gen_ai.response.finish_reasons", [reply.message.finish_reason])

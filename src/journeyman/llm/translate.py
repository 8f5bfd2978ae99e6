"""From pydantic-ai's words to ours: failures, pieces, usage, prices. Same on every wire."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP
from typing import Any

from pydantic_ai import exceptions as failures
from pydantic_ai.messages import (
    ModelResponse,
    ModelResponseStreamEvent,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
)

from journeyman.llm import ContextOverflow, Delta, Facts, ModelError, ModelRefused, Reply

NANO_CREDITS_PER_DOLLAR = 100 * 10**9
TRANSIENT_STATUS = frozenset({408, 409, 425, 429})


def failure(error: failures.AgentRunError, id_: str, base_url: str | None) -> ModelError:
    """*base_url*: None for the provider's own."""
    said, provider = said_by(error), id_.partition(":")[0]
    address = re.sub("//[^/]*@", "//", base_url) if base_url else "the provider's own"
    match error:
        case failures.ModelContextWindowExceededError():
            return ContextOverflow(
                f"the conversation no longer fits into {id_}: {said}", permanent=True
            )
        case failures.ContentFilterError():
            return ModelRefused(f"{id_} declined: {said}", permanent=True)
        case failures.ModelAuthenticationError():
            hint = f"check the API key of provider {provider!r} and what it may use"
            return ModelError(f"{id_} refused the credentials ({said}); {hint}", permanent=True)
        case failures.ModelNotFoundError():
            hint = f"check the model's name and base_url ({address})"
            return ModelError(f"{id_} was not found ({said}); {hint}", permanent=True)
        case failures.ModelQuotaExceededError():
            hint = "top it up or choose another model"
            return ModelError(
                f"the account behind {id_} is used up ({said}); {hint}", permanent=True
            )
        case failures.ModelConnectionError():
            hint = f"check that a server is up at base_url ({address}) of provider {provider!r}"
            return ModelError(
                f"no reply from {id_} ({said}); {hint}", retry_after_seconds=error.retry_after
            )
        case failures.ModelAPIError() if _is_transient(error):
            return ModelError(f"{id_}: {said}", retry_after_seconds=error.retry_after)
        case failures.ModelAPIError():
            return ModelRefused(f"{id_} rejected the request: {said}", permanent=True)
        case _:
            return ModelError(f"{id_} answered with something that is not a reply: {said}")


def _is_transient(error: failures.ModelAPIError) -> bool:
    if isinstance(error, failures.ModelHTTPError):
        return error.status_code >= 500 or error.status_code in TRANSIENT_STATUS
    return not isinstance(error, failures.ModelRequestRejectedError)


def said_by(error: failures.AgentRunError) -> str:
    """The provider's own words where there are some, within 500 characters."""
    text = error.message
    if isinstance(error, failures.ModelHTTPError):
        body = error.body
        inner = body.get("error", body) if isinstance(body, dict) else None
        if isinstance(inner, dict) and isinstance(said := inner.get("message"), str):
            text = f"{error.status_code}, {said}"
        else:
            text = f"status {error.status_code}"
    return " ".join(text.split())[:500]


def delta(event: ModelResponseStreamEvent) -> Delta | None:
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


def reply(message: ModelResponse, asked: str) -> Reply:
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


def facts(model: str, provider: str) -> Facts:
    """What the price list knows. A window is the model's wherever it is served, a price is not."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - half a second of data

    known = Facts()
    for provider_id in (None, provider):
        try:
            _, found = get_snapshot().find_provider_model(model, None, provider_id, None)
        except LookupError:
            continue
        known = replace(known, window_tokens=found.context_window or known.window_tokens)
        if provider_id is not None:
            prices = found.get_prices(datetime.now(UTC))
            known = replace(
                known,
                input_price=_base(prices.input_mtok),
                output_price=_base(prices.output_mtok),
            )
    return known


def _base(price: Any) -> float | None:
    """Of one million tokens, in the lowest tier."""
    base = getattr(price, "base", price)
    return None if base is None else float(base)

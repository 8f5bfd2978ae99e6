"""What models were asked for, and what that cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Spent:
    """What one reply, or many of one model, took."""

    model: str
    nano_credits: int
    """Of what has a price; a credit is 0.01 USD."""
    input_tokens: int
    output_tokens: int

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Spent | None:
        """From a usage event; None for one that says nothing was used."""
        input_tokens, output_tokens = data.get("inputTokens") or 0, data.get("outputTokens") or 0
        cost = data.get("cost") or 0
        if not (cost or input_tokens or output_tokens):
            return None
        return cls(data.get("model") or "", cost, input_tokens, output_tokens)

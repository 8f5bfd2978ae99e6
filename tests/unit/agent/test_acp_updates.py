"""What an ACP agent says of itself, which is not believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from journeyman.agent.acp import updates


@pytest.mark.parametrize(
    ("amount", "dollars"),
    [
        ("0.25", 0.25),
        ("-1", 0.0),
        ("NaN", 0.0),
        ("1e999", updates.MOST_DOLLARS),
        ("1" + "0" * 400, updates.MOST_DOLLARS),
        ('"1"', 0.0),
    ],
)
def test_what_it_has_cost_is_a_bounded_sum(amount: str, dollars: float) -> None:
    said: dict[str, Any] = json.loads(f'{{"cost": {{"amount": {amount}, "currency": "USD"}}}}')

    assert updates.dollars(said) == dollars


@pytest.mark.parametrize(
    ("value", "tokens"), [(7, 7), (-7, 0), (10**30, updates.MOST_TOKENS), ("7", 0), (None, 0)]
)
def test_tokens_are_a_bounded_number(value: object, tokens: int) -> None:
    assert updates.count(value) == tokens

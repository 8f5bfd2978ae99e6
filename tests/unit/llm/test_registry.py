"""Names to models: spellings, `auto`, health."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from genai_prices.data_snapshot import get_snapshot
from pydantic_ai.messages import ModelMessage
from pydantic_ai.tools import ToolDefinition

from journeyman.llm import (
    ContextOverflow,
    Facts,
    Model,
    ModelError,
    Needs,
    OnDelta,
    Reply,
    UnknownModel,
    translate,
)
from journeyman.llm.registry import PERMANENT_SECONDS, TRANSIENT_SECONDS, Registry, canonical


class Broken:
    window_tokens = 1000

    """A model that only fails."""

    def __init__(self, id: str, error: ModelError) -> None:
        self.id = id
        self.error = error

    async def reply(
        self,
        messages: Sequence[ModelMessage],
        tools: Sequence[ToolDefinition],
        *,
        on_delta: OnDelta,
    ) -> Reply:
        raise self.error


class Shop:
    """A provider of such models."""

    def __init__(self, name: str, *models: str) -> None:
        self.name = name
        self.models = models
        self.error = ModelError("down")
        self.closed = False
        self.known: dict[str, Facts] = {}

    def model(self, name: str) -> Model:
        return Broken(f"{self.name}:{name}", self.error)

    def facts(self, name: str) -> Facts:
        return self.known.get(name, Facts())

    async def aclose(self) -> None:
        self.closed = True


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("spelling", "canon"),
    [
        ("claude-sonnet-4.6", "claude-sonnet-4.6"),
        ("claude-sonnet-4-6", "claude-sonnet-4.6"),
        ("anthropic/claude-sonnet-4.6", "claude-sonnet-4.6"),
        ("us.anthropic.claude-sonnet-4-6-20260217-v1:0", "claude-sonnet-4.6"),
        ("claude-sonnet-4-5-20250929", "claude-sonnet-4.5"),
        ("OpenAI/GPT-5.4-2026-03-05", "gpt-5.4"),
        ("gemini-3.1-pro-preview", "gemini-3.1-pro"),
        ("qwen2.5-coder:7b", "qwen2.5-coder:7b"),
        ("claude-sonnet-4-20250514", "claude-sonnet-4"),
        ("claude-sonnet-4-0", "claude-sonnet-4"),
        ("Claude Sonnet 4.6 (copilot)", "claude-sonnet-4.6"),
        ("Claude Opus 4.8 (fast mode) (preview)", "claude-opus-4.8-fast"),
        ("GPT-5.6 Sol", "gpt-5.6-sol"),
    ],
)
def test_a_model_has_one_canonical_spelling(spelling: str, canon: str) -> None:
    assert canonical(spelling) == canon


@pytest.mark.parametrize("name", [None, "auto", "AUTO", "", "script"])
def test_with_nothing_configured_there_is_the_script(name: str | None) -> None:
    assert Registry().resolve(name).id == "script"


def test_auto_is_the_first_that_is_configured() -> None:
    registry = Registry([Shop("one", "a", "b"), Shop("two", "c")])

    assert registry.resolve("auto").id == "one:a"
    assert registry.resolve(None).id == "one:a"


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("one:gpt-5.4", "one:gpt-5.4"),
        ("two:gpt-5.4", "two:gpt-5.4"),
        ("gpt-5.4", "one:gpt-5.4"),
        ("openai/gpt-5.4-2026-03-05", "one:gpt-5.4"),
        ("claude-sonnet-4.6", "two:claude-sonnet-4-6"),
        ("qwen3-coder:30b", "two:qwen3-coder:30b"),
        ("two:qwen3-coder:30b", "two:qwen3-coder:30b"),
        ("script", "script"),
    ],
)
def test_a_model_is_found_by_every_reasonable_name(name: str, id_: str) -> None:
    shops = [Shop("one", "gpt-5.4"), Shop("two", "gpt-5.4", "claude-sonnet-4-6", "qwen3-coder:30b")]

    assert Registry(shops).resolve(name).id == id_


def catalogue(provider: str) -> list[str]:
    found = next(one for one in get_snapshot().providers if one.id == provider)
    return [model.id for model in found.models]


IN_GITHUBS_API = [
    *("claude-sonnet-4.5", "claude-sonnet-4.6", "claude-opus-4.5", "claude-opus-4.6"),
    *("gpt-5.2-codex", "gpt-5.3-codex", "gpt-5.4"),
]
"""What the description of GitHub's tasks API names as examples of `model`."""
ON_GITHUBS_PAGES = [
    *("Claude Opus 4.7", "Claude Haiku 4.5", "Gemini 3.1 Pro", "Gemini 3.5 Flash"),
    *("Gemini 3.6 Flash", "GPT-5.4 mini", "GPT-5.6 Luna", "GPT-5.6 Sol", "GPT-5.6 Terra"),
]
"""What can be picked for the cloud agent, as the page shows it."""
PRICED_BY_GITHUB = [name for name in catalogue("github-copilot") if not name.startswith("mai-")]
"""Less those that nobody else serves."""


@pytest.mark.parametrize("name", [*IN_GITHUBS_API, *ON_GITHUBS_PAGES, *PRICED_BY_GITHUB])
def test_githubs_names_are_understood_where_the_model_is_configured(name: str) -> None:
    makers = {"claude": "anthropic", "gpt": "openai", "gemini": "google"}
    maker = makers.get(name.lower().partition("-")[0].partition(" ")[0], "openrouter")
    # The price list has forgotten this one.
    shop = Shop(maker, *catalogue(maker), "gpt-5.2-codex")

    assert Registry([shop]).resolve(name).id.startswith(f"{maker}:")
    with pytest.raises(UnknownModel):
        Registry([Shop("local", "qwen3-coder")]).resolve(name)


def test_a_fast_mode_is_its_model_where_it_has_no_name_of_its_own() -> None:
    both = Shop("openrouter", "anthropic/claude-opus-4.8", "anthropic/claude-opus-4.8-fast")
    one = Shop("anthropic", "claude-opus-4-8")

    assert Registry([both]).resolve("claude-opus-4.8-fast").id.endswith("-fast")
    assert Registry([one]).resolve("Claude Opus 4.8 (fast mode)").id == "anthropic:claude-opus-4-8"
    with pytest.raises(UnknownModel):
        Registry([Shop("x", "grok-4")]).resolve("grok-4-fast")


@pytest.mark.parametrize("name", ["grok-9", "one:b", "nobody:a"])
def test_an_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(UnknownModel, match="there is: one:a, script") as caught:
        Registry([Shop("one", "a")]).resolve(name)

    assert caught.value.name == name
    assert caught.value.available == ("one:a", "script")


async def test_a_model_that_failed_is_passed_over_for_a_while() -> None:
    clock = Clock()
    registry = Registry([Shop("one", "a"), Shop("two", "b")], clock=clock)

    with pytest.raises(ModelError):
        await registry.resolve("auto").reply([], [], on_delta=lambda delta: None)

    assert registry.resolve("auto").id == "two:b"
    assert registry.resolve("one:a").id == "one:a", "by name it can still be had"
    first = registry.list()[0]
    assert (first.healthy, first.detail) == (False, "down")
    clock.now += TRANSIENT_SECONDS
    assert registry.resolve("auto").id == "one:a"
    assert registry.list()[0].healthy


def test_the_wait_is_what_the_provider_asked_for() -> None:
    clock = Clock()
    registry = Registry([Shop("one", "a"), Shop("two", "b")], clock=clock)

    registry.report_failure("one:a", ModelError("slow down", retry_after_seconds=5))

    clock.now += 4
    assert registry.resolve("auto").id == "two:b"
    clock.now += 1
    assert registry.resolve("auto").id == "one:a"


def test_a_permanent_failure_lasts_longer() -> None:
    clock = Clock()
    registry = Registry([Shop("one", "a"), Shop("two", "b")], clock=clock)

    registry.report_failure("one:a", ModelError("bad key", permanent=True))

    clock.now += PERMANENT_SECONDS - 1
    assert registry.resolve("auto").id == "two:b"


def test_with_all_down_the_one_that_is_back_first_is_tried() -> None:
    registry = Registry([Shop("one", "a"), Shop("two", "b")], clock=Clock())

    registry.report_failure("one:a", ModelError("bad key", permanent=True))
    registry.report_failure("two:b", ModelError("busy"))

    assert registry.resolve("auto").id == "two:b"


def test_a_conversation_that_is_too_long_says_nothing_about_the_model() -> None:
    registry = Registry([Shop("one", "a")], clock=Clock())

    registry.report_failure("one:a", ContextOverflow("too long", permanent=True))

    assert registry.list()[0].healthy


def test_the_script_is_always_listed_last() -> None:
    assert [info.id for info in Registry([Shop("one", "a")]).list()] == ["one:a", "script"]


async def test_closing_closes_the_providers() -> None:
    shop = Shop("one", "a")

    await Registry([shop]).aclose()

    assert shop.closed


async def test_the_same_model_elsewhere_goes_on_before_any_other() -> None:
    near, far = (
        Shop("near", "claude-sonnet-4-6", "mini"),
        Shop("far", "anthropic.claude-sonnet-4.6"),
    )
    registry = Registry([near, far])

    assert registry.instead("near:claude-sonnet-4-6", "claude-sonnet-4.6") == (
        "far:anthropic.claude-sonnet-4.6"
    )
    registry.report_failure("far:anthropic.claude-sonnet-4.6", ModelError("down"))
    assert registry.instead("near:claude-sonnet-4-6", "claude-sonnet-4.6") is None
    assert registry.instead("near:claude-sonnet-4-6", "auto") == "near:mini"
    assert registry.instead("near:claude-sonnet-4-6", None) == "near:mini"


async def test_nothing_goes_on_when_all_are_down() -> None:
    registry = Registry([Shop("near", "a", "b")])
    registry.report_failure("near:b", ModelError("down"))

    assert registry.instead("near:a", None) is None


def test_auto_takes_the_first_that_meets_the_needs() -> None:
    shop = Shop("shop", "small", "blind", "large")
    shop.known = {
        "small": Facts(window_tokens=8_000),
        "blind": Facts(window_tokens=200_000, images=False),
        "large": Facts(window_tokens=200_000),
    }
    registry = Registry([shop])
    assert registry.resolve(None).id == "shop:small"
    assert registry.resolve("auto", Needs(tokens=4_000)).id == "shop:small"
    assert registry.resolve("auto", Needs(tokens=4_001)).id == "shop:blind"
    assert registry.resolve(None, Needs(tokens=5_000, images=True)).id == "shop:large"
    # What nothing fits is still tried by something; and who names a model gets it.
    assert registry.resolve(None, Needs(tokens=10**9)).id == "shop:small"
    assert registry.resolve("small", Needs(tokens=5_000)).id == "shop:small"


async def test_auto_passes_over_what_is_down_before_it_asks_for_too_little() -> None:
    shop, clock = Shop("shop", "small", "large"), Clock()
    shop.known = {"small": Facts(window_tokens=8_000), "large": Facts(window_tokens=200_000)}
    registry = Registry([shop], clock=clock)
    registry.report_failure("shop:small", ModelError("down"))
    assert registry.resolve(None, Needs(tokens=100)).id == "shop:large"


def test_prices_are_the_providers_and_windows_the_models() -> None:
    known = translate.facts("claude-sonnet-4-6", "anthropic")
    assert (known.input_price, known.output_price) == (3.0, 15.0)
    assert known.window_tokens is not None
    assert known.window_tokens >= 200_000
    elsewhere = translate.facts("claude-sonnet-4-6", "gateway")
    assert (elsewhere.input_price, elsewhere.window_tokens) == (None, known.window_tokens)
    assert translate.facts("qwen3-coder", "local") == Facts()
    tiered = translate.facts("gpt-5.4", "openai")
    assert (tiered.input_price, tiered.output_price) == (2.5, 15.0)

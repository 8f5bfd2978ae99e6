"""Providers from the variables that their own clients read, and of every kind from a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman import config
from journeyman.domain.errors import AppError
from journeyman.llm.kinds import KINDS
from journeyman.llm.provider import Options


@pytest.mark.parametrize(
    ("environ", "name", "models"),
    [
        ({"ANTHROPIC_API_KEY": "k"}, "anthropic", "claude-sonnet-4-6"),
        ({"ANTHROPIC_API_KEY": "k", "ANTHROPIC_MODEL": "a,b"}, "anthropic", "a"),
        ({"GEMINI_API_KEY": "k"}, "google", "gemini-2.5-pro"),
        ({"GOOGLE_API_KEY": "k"}, "google", "gemini-2.5-pro"),
        ({"OPENROUTER_API_KEY": "k"}, "openrouter", "anthropic/claude-sonnet-4.6"),
        ({"AWS_BEARER_TOKEN_BEDROCK": "k", "BEDROCK_MODEL": "m"}, "bedrock", "m"),
    ],
)
def test_the_usual_variables_make_a_provider(
    environ: dict[str, str], name: str, models: str
) -> None:
    (provider,) = config.load(environ=environ).providers

    assert (provider.name, provider.kind, provider.api_key) == (name, name, "k")
    assert provider.models[0] == models
    assert provider.base_url is None


def test_several_at_once_are_several_providers() -> None:
    environ = {"ANTHROPIC_API_KEY": "a", "OPENAI_API_KEY": "b", "GEMINI_API_KEY": "c"}

    assert {provider.name for provider in config.load(environ=environ).providers} == {
        "anthropic",
        "openai",
        "google",
    }


def test_a_file_wins_over_the_variables(tmp_path: Path) -> None:
    file = tmp_path / "journeyman.toml"
    file.write_text('[providers.anthropic]\nkind = "anthropic"\nmodels = ["x"]\n')

    (provider,) = config.load(file=file, environ={"ANTHROPIC_API_KEY": "k"}).providers

    assert (provider.models, provider.api_key) == (("x",), None)


# Nothing overflows what is only replayed.
@pytest.mark.parametrize("kind", sorted(KINDS.keys() - {"recorded"}))
def test_every_kind_can_be_configured_and_needs_no_sdk_before_its_use(
    kind: str, tmp_path: Path
) -> None:
    file = tmp_path / "journeyman.toml"
    file.write_text(
        f'[providers.mine]\nkind = "{kind}"\nmodels = ["x"]\nbase_url = "http://127.0.0.1:1"\n'
        'window_tokens = 32000\nmax_output_tokens = 4000\nregion = "eu-west-1"\n'
    )

    (provider,) = config.load(file=file, environ={}).providers

    assert (provider.window_tokens, provider.max_output_tokens) == (32000, 4000)
    options = Options(name="mine", models=provider.models, window_tokens=provider.window_tokens)
    made = KINDS[provider.kind](options)
    assert (made.model("x").id, made.model("x").window_tokens) == ("mine:x", 32000)


def test_an_unknown_kind_is_told(tmp_path: Path) -> None:
    file = tmp_path / "journeyman.toml"
    file.write_text('[providers.mine]\nkind = "antropic"\nmodels = ["x"]\n')

    with pytest.raises(AppError, match=r"providers\.mine\.kind = 'antropic'"):
        config.load(file=file, environ={})


def test_a_thrown_away_server_does_not_see_the_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ANTHROPIC_API_KEY", "GEMINI_API_KEY", "OPENROUTER_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "k")

    assert not [name for name in config.bare_environment() if name.endswith("_API_KEY")]


def test_no_proxy_stands_before_a_throw_away_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("no_proxy", raising=False)
    for given, kept in (("", "127.0.0.1"), ("a.example", "a.example,127.0.0.1"), ("*", "*")):
        monkeypatch.setenv("NO_PROXY", given)
        made = config.bare_environment()
        assert made["no_proxy"] == made["NO_PROXY"] == kept

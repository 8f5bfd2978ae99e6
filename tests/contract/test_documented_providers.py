"""The examples of docs/models/: each is loaded, and asks a server of its provider's wire format."""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic_ai.messages import ModelRequest, UserPromptPart

from journeyman import adapters, config
from journeyman.config import Config
from journeyman.llm.registry import Registry
from tests.peers.model_server import ModelServer, Say

PAGES = Path(__file__).parents[2] / "docs/models"
NAMES = sorted(page.stem for page in PAGES.glob("*.md"))
ROOTS = frozenset({"anthropic", "bedrock", "google"})
"""Kinds whose addresses have no version at their end."""


def example(name: str, language: str) -> str:
    """The only one of its kind on a page."""
    text = (PAGES / f"{name}.md").read_text()
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return str(found)


def by_environment(name: str, _: Path) -> Config:
    lines = example(name, "sh").split()
    return config.load(environ={"HOME": "/", **dict(line.split("=", 1) for line in lines)})


def by_file(name: str, directory: Path) -> Config:
    file = directory / "journeyman.toml"
    file.write_text(text := example(name, "toml"))
    keys = dict.fromkeys(re.findall(r'api_key_env = "(.*)"', text), "a-key")
    return config.load(file=file, environ={"HOME": "/", **keys})


@pytest.mark.parametrize("load", [by_environment, by_file], ids=["environment", "file"])
@pytest.mark.parametrize("name", NAMES)
async def test_the_examples_work(
    name: str, load: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(variable, "a-key")
    loaded: Config = load(name, tmp_path)  # type: ignore[operator]
    (provider,) = loaded.providers
    async with ModelServer([Say("Hello.")]) as peer:
        root = peer.base_url.removesuffix("/v1") if provider.kind in ROOTS else peer.base_url
        # boto sends a key of Bedrock over HTTPS only
        key = None if provider.kind == "bedrock" else provider.api_key
        here = replace(loaded, providers=(replace(provider, base_url=root, api_key=key),))
        async with aclosing(Registry(adapters.providers(here))) as models:
            said = []
            for info in models.list()[:-1]:
                asked = [ModelRequest(parts=[UserPromptPart("Hi")])]
                reply = await models.resolve(info.id).reply(asked, [], on_delta=lambda delta: None)
                said.append(reply.message.text)
    assert said == ["Hello."] * len(provider.models)
    assert len(peer.requests) == len(provider.models)
    if key is not None:
        assert all(key in sent for sent in peer.keys)


def test_each_kind_has_a_page() -> None:
    kinds = {re.findall(r'kind = "(.*)"', example(name, "toml"))[0] for name in NAMES}
    assert kinds == {
        "anthropic",
        "bedrock",
        "google",
        "openai",
        "openai-compatible",
        "openrouter",
    }

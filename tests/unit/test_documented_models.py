"""The examples of docs/models.md are what they say they are."""

from __future__ import annotations

import json
import re
from pathlib import Path

from journeyman import config

DOCS = Path(__file__).parents[2] / "docs"


def examples(page: str, language: str) -> list[str]:
    text = (DOCS / page).read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_the_configuration_is_valid(tmp_path: Path) -> None:
    (example,) = examples("models.md", "toml")
    file = tmp_path / "journeyman.toml"
    file.write_text(example)

    loaded = config.load(file=file, environ={"ANTHROPIC_API_KEY": "k"})

    assert [provider.name for provider in loaded.providers] == ["anthropic", "bedrock", "local"]


def test_the_agents_of_others_are_valid(tmp_path: Path) -> None:
    (example,) = examples("acp.md", "toml")
    file = tmp_path / "journeyman.toml"
    file.write_text(example.replace("/opt/agents", "/opt"))

    loaded = config.load(file=file, environ={"ANTHROPIC_API_KEY": "k"})

    assert [agent.name for agent in loaded.acp] == ["claude", "opencode"]
    filled = loaded.acp[1].env["OPENCODE_CONFIG_CONTENT"].replace("{model}", "m")
    assert json.loads(filled)["provider"]["ours"]["models"] == {"m": {}}

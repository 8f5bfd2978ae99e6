"""Every piece of configuration in the documentation is valid as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from journeyman import config

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(r"^( *)```toml\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
PIECES = [
    (page.relative_to(DOCS), number, text)
    for page in sorted(DOCS.rglob("*.md"))
    for number, (_, text) in enumerate(BLOCK.findall(page.read_text()))
]


@pytest.mark.parametrize(
    ("page", "text"),
    [(page, text) for page, _, text in PIECES],
    ids=[f"{page}-{number}" for page, number, _ in PIECES],
)
def test_it_is_valid(page: Path, text: str, tmp_path: Path) -> None:
    (kept := tmp_path / "kept").write_text("a-secret")
    file = tmp_path / "journeyman.toml"
    file.write_text(_on_this_machine(text, kept))
    environ = dict.fromkeys(re.findall(r'_env = "(.*)"', text), "a-key")
    if page.name == "triggers.md":
        environ["JOURNEYMAN_FORGE_URL"] = "https://github.com"
        environ["JOURNEYMAN_TRIGGERS_TOKEN"] = "a-token"

    if text.startswith("url = "):
        home = tmp_path / "journeyman"
        home.mkdir()
        file.rename(home / "client.toml")
        client = config.load_client(environ={"XDG_CONFIG_HOME": str(tmp_path)})
        assert client.token == "a-secret"
        return
    loaded = config.load(file=file, environ=environ)

    assert any(one.origin == str(file) for one in loaded.settings())


def _on_this_machine(text: str, kept: Path) -> str:
    """With files and folders that are there."""
    text = re.sub(r'(_file = ")[^"]*', rf"\g<1>{kept}", text)
    text = re.sub(r"/etc/ssl/[\w.-]+", str(kept), text)
    text = text.replace("/opt/agents", "/opt")
    return text.replace("/srv/advisories", str(kept.parent))

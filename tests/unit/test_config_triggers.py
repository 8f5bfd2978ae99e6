"""What may be said of triggers, and what goes with nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from journeyman.config import MASK, Config, load
from journeyman.domain.errors import AppError
from journeyman.domain.triggers import Rules

GITHUB = {"JOURNEYMAN_FORGE_URL": "https://github.com"}
TOKEN = {"JOURNEYMAN_TRIGGERS_TOKEN": "ghp_x"}


def loaded(data: Path, environ: dict[str, str]) -> Config:
    return load(flags={"data": str(data)}, environ={"HOME": str(data), **environ})


def test_all_of_it_and_its_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    environ = {
        **GITHUB,
        **TOKEN,
        "JOURNEYMAN_TRIGGERS_SECRET_FILE": str(tmp_path / "secret"),
        "JOURNEYMAN_TRIGGERS_NAME": "acme-bot",
        "JOURNEYMAN_TRIGGERS_LABEL": "agent",
        "JOURNEYMAN_TRIGGERS_REPAIRS": "2",
        "JOURNEYMAN_TRIGGERS_POLL_SECONDS": "60",
        "JOURNEYMAN_TRIGGERS_REPOSITORIES": "acme/app,acme/lib",
    }
    config = loaded(tmp_path, environ)
    assert config.triggers.secret == "hush"
    assert config.triggers.rules == Rules("acme-bot", "agent", 2)
    assert config.triggers.repositories == ("acme/app", "acme/lib")
    shown = {setting.key: setting.value for setting in config.settings()}
    assert (shown["triggers.secret"], shown["triggers.token"]) == (MASK, MASK)
    assert "hush" not in repr(config)
    assert "ghp_x" not in repr(config)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"JOURNEYMAN_TRIGGERS_SECRET": "x"}, "triggers.secret: only a forge with issues"),
        (TOKEN, "triggers.token: only a forge with issues"),
        ({**GITHUB, "JOURNEYMAN_TRIGGERS_SECRET": "x"}, "triggers.token: triggers.secret needs"),
        ({**GITHUB, "JOURNEYMAN_TRIGGERS_NAME": "@bot"}, "'@bot' is no login"),
        ({**GITHUB, "JOURNEYMAN_TRIGGERS_REPOSITORIES": "app"}, "'app' is not OWNER/NAME"),
    ],
)
def test_what_cannot_work_is_told(tmp_path: Path, environ: dict[str, str], said: str) -> None:
    with pytest.raises(AppError) as wrong:
        loaded(tmp_path, environ)
    assert said in wrong.value.message

"""git with git-credential-oauth: it has no token until its user agrees in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.conformance.browser import agree
from tests.conformance.conftest import FULL_NAME, Forge, Registered, Seeded, register
from tests.e2e.server import Server

pytestmark = pytest.mark.oauth

HELPER = "git-credential-oauth"
NEEDED = (HELPER, "xdg-open")


@pytest.fixture(scope="module")
def app(server: tuple[Server, Seeded]) -> Registered:
    """A program on its users' machines, without a secret: PKCE takes its place."""
    return register(server[0], "--public", "--callback", "http://127.0.0.1/")


@pytest.fixture
def environment(forge: Forge, app: Registered, tmp_path: Path) -> dict[str, str]:
    """As the helper's manual says for a forge that it does not know."""
    if not all(shutil.which(name) for name in NEEDED):
        pytest.skip(f"please run: sudo apt-get install {HELPER} xdg-utils")
    ours = {
        "oauthClientId": app.client_id,
        "oauthScopes": "repo",
        "oauthAuthURL": "/login/oauth/authorize",
        "oauthTokenURL": "/login/oauth/access_token",
    }
    lines = "".join(f"\t{key} = {value}\n" for key, value in ours.items())
    config = f'[credential]\n\thelper = oauth\n[credential "{forge.url}"]\n{lines}'
    (tmp_path / ".gitconfig").write_text(config)
    return {
        "PATH": os.environ["PATH"],
        "BROWSER": "true",  # the page is opened here; the helper tells its address too
        "HOME": str(tmp_path),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_NAME": "Alice" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "alice@example.com" for who in ("AUTHOR", "COMMITTER")},
    }


@dataclass(frozen=True)
class Person:
    """Somebody at a terminal, with a browser beside it."""

    app: Registered
    browser: httpx.Client
    environment: dict[str, str]

    def git(self, *arguments: str, cwd: Path) -> str:
        """What git said, while they agree to each address that it told. Ends with it."""
        said = ""
        with subprocess.Popen(
            ["git", *arguments], cwd=cwd, env=self.environment, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                assert running.stderr is not None
                for line in running.stderr:
                    said += line
                    if self.app.client_id in line:
                        back = httpx.get(agree(self.browser, line.strip()), timeout=30)
                        assert back.status_code == 200, back.text
                assert running.wait(30) == 0, said
            finally:
                running.kill()
        return said


def test_clone_and_push_a_private_repository(
    forge: Forge,
    app: Registered,
    browser: httpx.Client,
    environment: dict[str, str],
    tmp_path: Path,
) -> None:
    alice, work = Person(app, browser, environment), tmp_path / "work"
    said = alice.git("clone", "-q", f"{forge.url}/{FULL_NAME}.git", "work", cwd=tmp_path)
    assert "code_challenge_method=S256" in said
    (work / "pushed.txt").write_text("x\n")
    for command in ("add -A", "commit -qm Push", "push -q origin HEAD:asked"):
        alice.git(*command.split(), cwd=work)
    with_token = {"Authorization": f"Bearer {forge.token}"}
    pushed = httpx.get(f"{forge.url}/repos/{FULL_NAME}/branches/asked", headers=with_token)
    assert pushed.status_code == 200

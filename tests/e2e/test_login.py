"""`journeyman login` against a real server: the code, the page, the token, the end of it."""

from __future__ import annotations

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.e2e.server import JOURNEYMAN, Server, journeyman
from tests.integration.signin.conftest import hidden, text_of


def environment(home: Path, server: Server) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), "JOURNEYMAN_URL": server.url}


@contextmanager
def logging_in(home: Path, server: Server) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [JOURNEYMAN, "login"],
        env=environment(home, server),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def approve(server: Server, address: str, user_code: str) -> str:
    """As alice in a browser, let in by a link."""
    with httpx.Client(base_url=server.url) as browser:
        made = journeyman("user", "link", "alice", "--url", server.url, data=server.data)
        link = made.stdout.strip()
        browser.post(link, data=hidden(browser.get(link)))
        asked = browser.post(address, data={**hidden(browser.get(address)), "user_code": user_code})
        return text_of(browser.post(address, data={**hidden(asked), "decision": "approve"}))


def test_login_stores_a_token_that_works_until_logout(
    server: Server, token: str, tmp_path: Path
) -> None:
    assert token
    with logging_in(tmp_path, server) as process:
        assert process.stdout is not None
        address, code = (process.stdout.readline().split()[1] for _ in range(2))
        assert re.fullmatch(r"[A-Z]{4}-[A-Z]{4}", code)
        assert "Your device is connected" in approve(server, address, code)
        assert f"logged in to {server.url} as alice" in process.communicate(timeout=30)[0]
        assert process.returncode == 0
    kept = tmp_path / ".config" / "journeyman" / "client.toml"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    secret = re.search(r'token = "(gho_\w+)"', kept.read_text())
    assert secret is not None
    assert run(tmp_path, server, "task", "list").returncode == 0
    assert run(tmp_path, server, "logout").returncode == 0
    assert "token" not in kept.read_text()
    headers = {"Authorization": f"token {secret[1]}"}
    assert httpx.get(f"{server.url}/user", headers=headers).status_code == 401


def run(home: Path, server: Server, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [JOURNEYMAN, *arguments],
        env=environment(home, server),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

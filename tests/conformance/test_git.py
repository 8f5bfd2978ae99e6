"""git with a credential helper, as `gh auth setup-git` or a keychain would be one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.conformance.conftest import FULL_NAME, Forge


def git(
    cwd: Path, forge: Forge, *arguments: str, user: str = "alice"
) -> subprocess.CompletedProcess[str]:
    token = forge.tokens.get(user, "ghp_" + "x" * 36)
    helper = f'!f() {{ test "$1" = get && echo username={user} && echo password={token}; }}; f'
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(cwd),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        **{f"GIT_{who}_NAME": "Alice" for who in ("AUTHOR", "COMMITTER")},
        **{f"GIT_{who}_EMAIL": "alice@example.com" for who in ("AUTHOR", "COMMITTER")},
    }
    command = ["git", "-c", "credential.helper=", "-c", f"credential.helper={helper}", *arguments]
    return subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def test_clone_push_and_see_it_in_the_api(forge: Forge, tmp_path: Path) -> None:
    cloned = git(tmp_path, forge, "clone", "-q", f"{forge.url}/{FULL_NAME}.git", "work")
    assert cloned.returncode == 0, cloned.stderr
    work = tmp_path / "work"
    (work / "pushed.txt").write_text("x\n")
    for command in (("add", "-A"), ("commit", "-qm", "Push"), ("push", "-q", "origin", "HEAD:git")):
        done = git(work, forge, *command)
        assert done.returncode == 0, done.stderr
    listed = git(work, forge, "ls-remote", "--heads", "origin", "git")
    assert listed.stdout.endswith("refs/heads/git\n")


def test_who_may_only_read_cannot_push(forge: Forge, tmp_path: Path) -> None:
    address = f"{forge.url}/{FULL_NAME}"
    assert git(tmp_path, forge, "clone", "-q", address, "work", user="bob").returncode == 0
    pushed = git(tmp_path / "work", forge, "push", "-q", "origin", "HEAD:bobs", user="bob")
    assert pushed.returncode != 0
    assert "403" in pushed.stderr


def test_strangers_and_bad_tokens_get_nothing(forge: Forge, tmp_path: Path) -> None:
    for user in ("mallory", "nobody"):
        done = git(tmp_path, forge, "clone", "-q", f"{forge.url}/{FULL_NAME}", "x", user=user)
        assert done.returncode != 0

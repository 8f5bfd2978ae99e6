"""A user's git: plain, but for an identity and a home of its own."""

import asyncio
import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    code: int
    output: str


def environment(home: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_AUTHOR_NAME": "Alice",
        "GIT_AUTHOR_EMAIL": "alice@example.com",
        "GIT_COMMITTER_NAME": "Alice",
        "GIT_COMMITTER_EMAIL": "alice@example.com",
    }


def git(where: Path, *arguments: str, stdin: str = "") -> str:
    """Standard output, stripped; CalledProcessError when it fails."""
    return subprocess.run(
        ["git", "-c", "init.defaultBranch=main", *arguments],
        cwd=where,
        env=environment(where),
        input=stdin,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


async def client(where: Path, *arguments: str) -> Ended:
    """The same without blocking the loop that serves it; all it said, and its exit code."""
    process = await asyncio.create_subprocess_exec(
        "git",
        *arguments,
        cwd=where,
        env=environment(where),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    output, _ = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, output.decode("utf-8", "replace"))


def commit(where: Path, path: str, content: str, message: str = "Change") -> str:
    """Write *path*, commit it; the new commit's id."""
    file = where / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(content)
    git(where, "add", "--", path)
    git(where, "commit", "-q", "-m", message)
    return git(where, "rev-parse", "HEAD")


def repository(where: Path) -> Path:
    """A small repository with two commits on `main`, a branch `topic` and a tag."""
    where.mkdir(parents=True)
    git(where, "init", "-q")
    commit(where, "README.md", "# Example\n", "Begin")
    git(where, "branch", "topic")
    commit(where, "src/app.py", "print('hello')\n", "Add the program")
    git(where, "tag", "v1")
    return where

"""Git on the host, in an environment of its own: no user's or machine's configuration, no hooks, no
prompts.

Knows nothing of forges, sandboxes or sessions. It must never be pointed at a tree that an agent can
write.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import signal
from collections.abc import Awaitable, Callable, Mapping
from functools import cache
from pathlib import Path

CONFIG = Path(__file__).with_name("gitconfig")
"""The only configuration file that git reads here, beside a repository's own."""
CHUNK = 1 << 18
MESSAGE_LIMIT = 500
TAIL = 16 << 10
"""How much of what git said on standard error is kept, in bytes."""

WHATEVER_SSH_SAID = (
    "fatal: Could not read from remote repository.",
    "Please make sure you have the correct access rights",
    "and the repository exists.",
)
"""Git's last words after ssh has failed; the reason is before them."""
_SECRETS = re.compile(
    r"(?<=://)[^@/\s']+@|gh[pousr]_[A-Za-z0-9._]+|github_pat_\w+|(?<=proxy syntax in ')[^\n]*(?=')"
)
"""A proxy's address that curl cannot read is cut wherever the password has confused it."""

Take = Callable[[bytes], Awaitable[None]]


class GitError(Exception):
    """Git failed or was stopped. The message is its last line; *output* the end of all it said.

    Neither holds a credential. *exit_code* is None when it was stopped (timeout, too much output).
    """

    def __init__(self, message: str, *, exit_code: int | None = None, output: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code
        self.output = output


@cache
def _executable() -> str:
    found = shutil.which("git")
    if found is None:
        raise GitError("git is not installed; install the package `git`.")
    return found


def environment(protocols: str = "", extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """All that git sees. *protocols* are those it may use, joined by ':'; none by default."""
    return {
        "PATH": f"{Path(_executable()).parent}:/usr/local/bin:/usr/bin:/bin",
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(CONFIG),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "/bin/false",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes",
        "GIT_ALLOW_PROTOCOL": protocols or "none",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        **(extra or {}),
    }


def command(*arguments: str) -> list[str]:
    """The argument list of git with *arguments*; hooks stay off whatever a repository says."""
    return [_executable(), "-c", "core.hooksPath=/dev/null", *arguments]


async def run(
    *arguments: str,
    git_dir: Path | None = None,
    stdin: bytes | memoryview = b"",
    protocols: str = "",
    env: Mapping[str, str] | None = None,
    timeout_seconds: float = 600,
    limit_bytes: int = 1 << 20,
    take: Take | None = None,
) -> bytes:
    """The standard output of git with *arguments*.

    GitError when it fails, takes too long or says too much. With *take*, that gets the output piece
    by piece, and the result is empty; what it raises ends git.

    *git_dir* is a bare repository that the service owns. *env* comes on top of `environment` and
    may carry a credential.
    """
    where = [f"--git-dir={git_dir}"] if git_dir else []
    process = await asyncio.create_subprocess_exec(
        *command(*where, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(protocols, env),
        cwd="/",
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_seconds):
            output, errors, _ = await asyncio.gather(
                _read(process, limit_bytes, take), _read_tail(process), _feed(process, stdin)
            )
            await process.wait()
    except TimeoutError as error:
        message = f"git {arguments[0]} took longer than {timeout_seconds:g} s and was stopped."
        raise GitError(message) from error
    finally:
        await stop(process)
    if output is None:
        raise GitError(f"git {arguments[0]} said more than {limit_bytes} bytes and was stopped.")
    if process.returncode:
        raise _failure(arguments[0], process.returncode, output, errors, env or {})
    return output


async def stop(process: asyncio.subprocess.Process, grace_seconds: float = 0) -> None:
    """End a process that leads its own group, with all its children; at first politely when there
    is grace.
    """
    if process.returncode is None and grace_seconds:
        signal_group(process, signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), grace_seconds)
    if process.returncode is None:
        signal_group(process, signal.SIGKILL)
        await process.wait()


def signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


async def _read(
    process: asyncio.subprocess.Process, limit_bytes: int, take: Take | None
) -> bytes | None:
    """All of standard output that is not taken; None past the limit, and git is killed."""
    assert process.stdout
    output, said = bytearray(), 0
    while chunk := await process.stdout.read(CHUNK):
        said += len(chunk)
        if said > limit_bytes:
            signal_group(process, signal.SIGKILL)
            return None
        if take is None:
            output += chunk
        else:
            await take(chunk)
    return bytes(output)


async def _read_tail(process: asyncio.subprocess.Process) -> bytes:
    assert process.stderr
    tail = b""
    while chunk := await process.stderr.read(CHUNK):
        tail = (tail + chunk)[-TAIL:]
    return tail


async def _feed(process: asyncio.subprocess.Process, data: bytes | memoryview) -> None:
    """In pieces: what is written at once, and git does not take at once, is copied."""
    assert process.stdin
    rest = memoryview(data)
    try:
        while rest:
            process.stdin.write(rest[:CHUNK])
            await process.stdin.drain()
            rest = rest[CHUNK:]
        process.stdin.close()
        await process.stdin.wait_closed()
    except (BrokenPipeError, ConnectionResetError):
        pass  # git has ended without reading it all; its exit code says why


def _failure(
    verb: str, exit_code: int, output: bytes, errors: bytes, env: Mapping[str, str]
) -> GitError:
    said = redacted((output[-TAIL:] + errors).decode("utf-8", "replace"), env)
    lines = [line.strip() for line in said.replace("\r", "\n").splitlines() if line.strip()]
    telling = [line for line in lines if line not in WHATEVER_SSH_SAID] or lines
    last = next((one for one in reversed(telling) if one.startswith(("fatal:", "error:"))), None)
    message = last or (telling[-1] if telling else f"git {verb} ended with exit code {exit_code}.")
    return GitError(message[:MESSAGE_LIMIT], exit_code=exit_code, output="\n".join(lines))


def redacted(text: str, env: Mapping[str, str]) -> str:
    """*text* without user names and passwords in addresses, tokens, or the values of a credential's
    *env*.
    """
    for key, value in env.items():
        if key.startswith("GIT_CONFIG_VALUE_") and value:
            text = text.replace(value, "***")
    return _SECRETS.sub("***", text)


def quoted(value: str) -> str:
    """*value* as git's configuration files want it; a line break cannot leave its entry."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")
    return f'"{escaped}"'

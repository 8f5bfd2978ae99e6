"""A session's folders on the host: made for the account that works in them, and deleted.

Knows nothing of what they are for.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

FOLDERS = {"work": 0o755, "home": 0o700, "tmp": 0o1777}
CACHE_MODE = 0o700


@dataclass(frozen=True)
class Account:
    """The host account that a sandbox's processes have when the service itself is root."""

    uid: int
    gid: int


def stepping_down(account: Account) -> list[str]:
    """Options of setpriv, by which root becomes *account* without any power."""
    become = ("--reuid", str(account.uid), "--regid", str(account.gid))
    return [*become, "--clear-groups", "--inh-caps=-all"]


def make(directory: Path, account: Account | None) -> None:
    """Create what is missing of a session's folders, owned by the sandbox's account."""
    directory.mkdir(parents=True, exist_ok=True)
    if account is not None:
        directory.chmod(0o711)
    for name, mode in FOLDERS.items():
        give(directory / name, mode, account)


def give(folder: Path, mode: int, account: Account | None) -> None:
    """Create *folder*, if it is missing, for the sandbox's account."""
    if not folder.exists():
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(mode)
        if account is not None:
            os.chown(folder, account.uid, account.gid)


async def remove(directory: Path) -> None:
    """Delete it, however deep and whoever owns its files. Raises OSError when something stays."""
    if await _run("rm", "-rf", "--one-file-system", "--", str(directory)) == 0:
        return
    await _run("chmod", "-R", "u+rwx", "--", str(directory))
    if await _run("rm", "-rf", "--one-file-system", "--", str(directory)) != 0:
        raise OSError(f"could not delete {str(directory)!r}")


def is_open(path: Path) -> bool:
    """Whether anybody on this host may read *path*: a sandbox's account may then, too."""
    try:
        ways = [parent.stat().st_mode & 0o001 for parent in path.parents]
        return all(ways) and bool(path.stat().st_mode & 0o004)
    except OSError:
        return False


async def _run(*argv: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()

"""Programs of others to compare with: each in an environment of its own, kept in `.cache`."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".cache"
INSTALL_SECONDS = 600


async def python(*releases: str) -> Path:
    """The interpreter that has *releases*, which are installed first where they are not yet.

    Raises OSError, TimeoutError.
    """
    folder = CACHE / releases[0]
    made = folder / "bin" / "python"
    complete = folder / "complete"
    if not complete.exists():
        shutil.rmtree(folder, ignore_errors=True)
        await run(INSTALL_SECONDS, sys.executable, "-m", "venv", str(folder))
        await run(INSTALL_SECONDS, str(made), "-m", "pip", "install", "--quiet", *releases)
        complete.touch()
    return made


async def run(seconds: float, *command: str, env: Mapping[str, str] | None = None) -> None:
    """*env*: beside this process's own. Raises OSError when it fails, TimeoutError."""
    process = await asyncio.create_subprocess_exec(
        *command,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(env or {})},
    )
    try:
        async with asyncio.timeout(seconds):
            _, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        lines = errors.decode(errors="replace").strip().splitlines()
        raise OSError(lines[-1] if lines else f"exit code {process.returncode}")

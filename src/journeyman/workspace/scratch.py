"""Throw-away directories: locked by whoever works in one, so that what a process left that died is
told from what is in use."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

NEW, READY = ".new-", "scratch-"


@asynccontextmanager
async def scratch(root: Path) -> AsyncIterator[Path]:
    """A directory of its own below *root*; gone at every end."""
    root.mkdir(parents=True, exist_ok=True)
    new = Path(tempfile.mkdtemp(prefix=NEW, dir=root))
    with _locked(new):
        # Only now, being locked, is it there for `sweep`.
        directory = new.rename(root / f"{READY}{new.name.removeprefix(NEW)}")
        try:
            yield directory
        finally:
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


async def sweep(root: Path) -> None:
    """Remove what nobody works in any more."""
    for directory in root.glob(f"{READY}*"):
        with suppress(FileNotFoundError, BlockingIOError), _locked(directory):
            await asyncio.to_thread(shutil.rmtree, directory, ignore_errors=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Until the end, be it that of the process. BlockingIOError when somebody else has it."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)

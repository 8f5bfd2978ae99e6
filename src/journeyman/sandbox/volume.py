"""A session's disk as a file system in a sparse file: bytes and files have a hard limit there.

Only root can mount one. The mount lives in the sandbox's own mount namespace and, with the loop
device, vanishes with it. Knows nothing of what is put there.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from journeyman.sandbox import folders, loop_device, probing
from journeyman.sandbox.folders import Account

FILE = "disk.ext4"
MAKE = ("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0")
LAZY = "lazy_itable_init=1,nodiscard"
OPTIONS = "noatime,nosuid,nodev,noinit_itable"
"""Of a mount; without the last, the kernel would write all inode tables in the background."""
TRIED = 64 << 20
TRY = 'mount -n -t ext4 -o "$1" -- "$2" "$3" && test -d "$3/work" && umount "$3"'


@dataclass(frozen=True)
class Blank:
    """An empty disk in memory: a descriptor, and where something is written in it."""

    descriptor: int
    size: int
    written: tuple[tuple[int, int], ...]
    """Offset and length."""


class Volumes:
    """Makes the disks of a service: each a copy of one in memory, which is quicker."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._made: dict[int, Blank] = {}
        """By size, for as long as the service lives."""
        self._making = asyncio.Lock()
        self._works: bool | None = None

    async def work(self) -> bool:
        """Whether this host can mount one, found out once by doing so."""
        async with self._making:
            if self._works is None:
                self._works = shutil.which(MAKE[0]) is not None and await self._tried()
        return self._works

    async def add(self, directory: Path, size_bytes: int) -> Path:
        """The disk in *directory*, made if missing, with a session's folders. Raises OSError."""
        place = directory / FILE
        if not place.exists():
            async with self._making:
                if size_bytes not in self._made:
                    self._made[size_bytes] = await _made(size_bytes, self._account)
            directory.mkdir(parents=True, exist_ok=True)
            copying = asyncio.create_task(asyncio.to_thread(_copy, self._made[size_bytes], place))
            try:
                await asyncio.shield(copying)
            finally:
                await asyncio.wait([copying])  # who is cancelled leaves nothing open
        return place

    async def _tried(self) -> bool:
        with tempfile.TemporaryDirectory(prefix=probing.prefix()) as folder:
            place, point = Path(folder, FILE), Path(folder, "point")
            point.mkdir()
            try:
                made = await _made(TRIED, self._account)
                try:
                    _copy(made, place)
                finally:
                    os.close(made.descriptor)
                own = ("unshare", "--mount", "--propagation", "private", "--")
                with loop_device.attached(place) as device:
                    await _run(*own, "sh", "-c", TRY, "sh", OPTIONS, str(device), str(point))
            except OSError:
                return False
        return True


async def _made(size_bytes: int, account: Account) -> Blank:
    """An empty disk. Raises OSError."""
    made = os.memfd_create("disk", os.MFD_CLOEXEC)
    try:
        os.ftruncate(made, size_bytes)
        with tempfile.TemporaryDirectory(prefix=probing.prefix()) as folder:
            folders.make(Path(folder), account)
            owner = f"root_owner={account.uid}:{account.gid}"
            await _run(*MAKE, "-E", f"{LAZY},{owner}", "-d", folder, _path(made))
        return Blank(made, size_bytes, tuple(_written(made)))
    except BaseException:
        os.close(made)
        raise


def _written(file: int) -> Iterator[tuple[int, int]]:
    end = 0
    with contextlib.suppress(OSError):  # ENXIO: only a hole is left
        while True:
            start = os.lseek(file, end, os.SEEK_DATA)
            end = os.lseek(file, start, os.SEEK_HOLE)
            yield start, end - start


def _copy(blank: Blank, place: Path) -> None:
    """Only what is written: the rest are holes. Who is killed half way leaves nothing of it."""
    partial = place.with_suffix(".partial")
    try:
        _write(blank, partial)
        partial.rename(place)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def _write(blank: Blank, partial: Path) -> None:
    with open(partial, "wb", opener=_for_us_alone) as file:
        for offset, length in blank.written:
            file.seek(offset)
            sent = 0
            while sent < length:
                sent += os.sendfile(file.fileno(), blank.descriptor, offset + sent, length - sent)
        file.truncate(blank.size)


def _for_us_alone(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _path(descriptor: int) -> str:
    return f"/proc/{os.getpid()}/fd/{descriptor}"


async def _run(*argv: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.communicate())
        raise
    if process.returncode:
        raise OSError(f"{argv[0]} failed: {errors.decode(errors='replace').strip()[-500:]}")

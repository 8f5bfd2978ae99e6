"""A session's disk as a file system in a sparse file: bytes and files have a hard limit there.

Only root can mount one. The mount lives in the sandbox's own mount namespace and, with the loop
device, vanishes with it. Knows nothing of what is put there.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from pathlib import Path

from journeyman.sandbox import folders
from journeyman.sandbox.folders import Account

FILE = "disk.ext4"
MAKE = ("mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-m", "0")
LAZY = "lazy_itable_init=1,nodiscard"
OPTIONS = "loop,noatime,nosuid,nodev,noinit_itable"
"""Of a mount; without the last, the kernel would write all inode tables in the background."""
TRIED = 64 << 20
TRY = 'mount -n -o "$1" -- "$2" "$3" && test -d "$3/work" && umount "$3"'


class Volumes:
    """Makes the disks of a service: each a copy of one in memory, which is quicker."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._made: dict[int, int] = {}
        """Descriptors by size, for as long as the service lives."""
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
            await _copied(self._made[size_bytes], place)
        return place

    async def _tried(self) -> bool:
        with tempfile.TemporaryDirectory(prefix="journeyman-volume-") as folder:
            place, point = Path(folder, FILE), Path(folder, "point")
            point.mkdir()
            try:
                made = await _made(TRIED, self._account)
                try:
                    await _copied(made, place)
                finally:
                    os.close(made)
                own = ("unshare", "--mount", "--propagation", "private", "--")
                await _run(*own, "sh", "-c", TRY, "sh", OPTIONS, str(place), str(point))
            except OSError:
                return False
        return True


async def _made(size_bytes: int, account: Account) -> int:
    """A descriptor of an empty disk in memory. Raises OSError."""
    made = os.memfd_create("disk", os.MFD_CLOEXEC)
    try:
        os.ftruncate(made, size_bytes)
        with tempfile.TemporaryDirectory(prefix="journeyman-volume-") as folder:
            folders.make(Path(folder), account)
            owner = f"root_owner={account.uid}:{account.gid}"
            await _run(*MAKE, "-E", f"{LAZY},{owner}", "-d", folder, _path(made))
    except BaseException:
        os.close(made)
        raise
    return made


async def _copied(made: int, place: Path) -> None:
    """Only what is written: the rest are holes. Who is killed half way leaves nothing of it."""
    partial = place.with_suffix(".partial")
    partial.touch(mode=0o600)
    await _run("cp", "--sparse=always", "--", _path(made), str(partial))
    partial.rename(place)


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

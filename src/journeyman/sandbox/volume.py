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
LAZY = ("-E", "lazy_itable_init=1,nodiscard")
OPTIONS = "loop,noatime,nosuid,nodev,noinit_itable"
"""Of a mount; without the last, the kernel would write all inode tables in the background."""
TRIED = 64 << 20
TRY = 'mount -n -o "$1" -- "$2" "$3" && test -d "$3/work" && umount "$3"'


class Volumes:
    """Makes the disks of a service: each a copy of one that is made first, which is quicker."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._made: dict[int, Path] = {}
        self._making = asyncio.Lock()
        self._works: bool | None = None

    async def work(self) -> bool:
        """Whether this host can mount one, found out once by doing so."""
        async with self._making:
            if self._works is None:
                self._works = await self._tried()
        return self._works

    async def add(self, directory: Path, size_bytes: int) -> Path:
        """The disk in *directory*, made if missing, with a session's folders. Raises OSError."""
        place = directory / FILE
        if not place.exists():
            directory.mkdir(parents=True, exist_ok=True)
            partial = place.with_suffix(".partial")
            template = await self._template(directory, size_bytes)
            await _run("cp", "--sparse=always", "--", str(template), str(partial))
            partial.rename(place)
        return place

    async def _template(self, beside: Path, size_bytes: int) -> Path:
        """On the same file system as the sessions, and for them alone."""
        async with self._making:
            made = self._made.get(size_bytes)
            if made is None or not made.exists():
                made = beside.parent / f".disk-{size_bytes}-{self._account.uid}.ext4"
                if not made.exists():
                    await _make(made, size_bytes, self._account)
                self._made[size_bytes] = made
        return made

    async def _tried(self) -> bool:
        if shutil.which(MAKE[0]) is None:
            return False
        with tempfile.TemporaryDirectory(prefix="journeyman-volume-") as folder:
            place = Path(folder, FILE)
            try:
                await _make(place, TRIED, self._account)
                point = Path(folder, "point")
                point.mkdir()
                own = ("unshare", "--mount", "--propagation", "private", "--")
                await _run(*own, "sh", "-c", TRY, "sh", OPTIONS, str(place), str(point))
            except OSError:
                return False
        return True


async def _make(place: Path, size_bytes: int, account: Account) -> None:
    """Under another name first: who is killed half way leaves nothing that looks whole."""
    with tempfile.TemporaryDirectory(prefix=".disk-", dir=place.parent) as folder:
        inside, image = Path(folder, "inside"), Path(folder, "image")
        folders.make(inside, account)
        image.touch(mode=0o600)
        os.truncate(image, size_bytes)
        owner = f"root_owner={account.uid}:{account.gid}"
        await _run(*MAKE, LAZY[0], f"{LAZY[1]},{owner}", "-d", str(inside), str(image))
        image.rename(place)


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

"""A file as a block device, until nobody has it open or mounted any more.

Knows nothing of what is in the file. Only root can make one.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CONTROL = "/dev/loop-control"
GET_FREE, CONFIGURE = 0x4C82, 0x4C0A
FREED_WHEN_UNUSED = 4
ATTEMPTS = 64
"""Others may take the free device first."""
CONFIG = "=I 4x 52x I 64s 112x 64x"
"""`struct loop_config` of linux/loop.h, less what may be zero: the file, and of the `loop_info64`
in it flags and the name to be shown."""


@contextmanager
def attached(file: Path) -> Iterator[Path]:
    """The device of *file*, kept while the context lasts and then while mounted. Raises OSError.

    One that is there already is taken: a file system on two devices at once would break.
    """
    device, path = _there(file.resolve()) or _new(file)
    try:
        yield path
    finally:
        os.close(device)


def _there(file: Path) -> tuple[int, Path] | None:
    for backing in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):  # it is freed at this moment
            if _is_of(backing, file):
                path = Path("/dev", backing.parts[3])
                device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                if _is_of(backing, file):
                    return device, path
                os.close(device)
    return None


def _is_of(backing: Path, file: Path) -> bool:
    try:
        return backing.read_bytes().rstrip(b"\n") == os.fsencode(file)
    except FileNotFoundError:
        return False


def _new(file: Path) -> tuple[int, Path]:
    with open(file, "r+b", buffering=0) as opened:
        name = os.fsencode(file.name)[:63]
        config = struct.pack(CONFIG, opened.fileno(), FREED_WHEN_UNUSED, name)
        for _ in range(ATTEMPTS):
            with open(CONTROL, "rb", buffering=0) as control:
                path = Path(f"/dev/loop{fcntl.ioctl(control, GET_FREE)}")
            device = os.open(path, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.ioctl(device, CONFIGURE, config)
            except OSError as error:
                os.close(device)
                if error.errno != errno.EBUSY:
                    raise
            else:
                return device, path
    raise OSError(errno.EBUSY, "no loop device is free")

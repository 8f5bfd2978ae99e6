"""Descriptors that are passed to another process and closed here afterwards.

Knows nothing of who receives them.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType

F_ADD_SEALS = 1033
SEAL_EVERYTHING = 0x1 | 0x2 | 0x4 | 0x8
"""F_SEAL_SEAL, SHRINK, GROW and WRITE: whoever reopens the file can only read it."""


def sealed(data: bytes) -> int:
    """A file in memory that holds *data*, at its beginning, never to be changed by anybody."""
    descriptor = os.memfd_create("data", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]
    os.lseek(descriptor, 0, os.SEEK_SET)
    fcntl.fcntl(descriptor, F_ADD_SEALS, SEAL_EVERYTHING)
    return descriptor


class Descriptors:
    """What a child process is given; `with` closes our copies."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def keep(self, descriptor: int) -> int:
        """Add *descriptor*, which is ours from now on."""
        self.numbers.append(descriptor)
        return descriptor

    def hold(self, data: bytes) -> int:
        """Add a sealed file in memory with *data*."""
        return self.keep(sealed(data))

    def __enter__(self) -> Descriptors:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for descriptor in self.numbers:
            os.close(descriptor)
        self.numbers.clear()

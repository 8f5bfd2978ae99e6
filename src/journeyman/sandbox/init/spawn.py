"""Starting one program: where it is, what its standard streams are, a terminal of its own.

Knows nothing of requests.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal

    Action = tuple[object, ...]
else:
    import _signal as signal  # without the enumerations, which take long to import

RESET = {int(one) for one in signal.valid_signals()} - {signal.SIGKILL, signal.SIGSTOP}
"""Signals that commands must not ignore, although Python does, or whoever started the service
(nohup). Without SIGXFSZ, writing fails politely."""


def piped(descriptors: list[int], *, with_stdin: bool) -> list[Action]:
    """Standard streams from *descriptors*: input if there is one, output, errors if apart."""
    streams = list(descriptors)
    reading: Action = (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)
    if with_stdin:
        reading = (os.POSIX_SPAWN_DUP2, streams.pop(0), 0)
    writing = [(os.POSIX_SPAWN_DUP2, one, to) for one, to in ((streams[0], 1), (streams[-1], 2))]
    return [reading, *writing]


def on_terminal(path: str) -> list[Action]:
    """All three streams on the terminal at *path*, which so comes to control the new session."""
    opening: Action = (os.POSIX_SPAWN_OPEN, 0, path, os.O_RDWR, 0)
    return [opening, (os.POSIX_SPAWN_DUP2, 0, 1), (os.POSIX_SPAWN_DUP2, 0, 2)]


def terminal(rows: int, columns: int) -> tuple[int, int, str]:
    """A new terminal: its other end, its own end, and the path of that. Raises OSError.

    While its own end is open nowhere, reading at the other tells of an end.
    """
    master, slave = os.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return master, slave, os.ttyname(slave)


def spawn(
    argv: list[str],
    cwd: str,
    environment: dict[str, str],
    actions: list[Action],
    reset: set[int],
) -> int:
    """Start a program in a session of its own; its process number. Raises OSError."""
    os.chdir(cwd)
    try:
        return os.posix_spawn(
            located(argv[0], environment["PATH"]),
            argv,
            environment,
            file_actions=actions,
            setsid=True,
            setsigdef=reset,
        )
    finally:
        os.chdir("/")


def located(program: str, path: str) -> str:
    """Where *program* is along *path*; itself when it names its place. Raises FileNotFoundError."""
    if "/" in program:
        return program
    places = [f"{folder}/{program}" for folder in path.split(":")]
    for place in places:
        if os.access(place, os.X_OK):
            return place
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), program)

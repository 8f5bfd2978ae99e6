"""What /proc says of the processes inside, and their end. All of it may lie but the kernel's part.

Knows nothing of requests.
"""

from __future__ import annotations

import os

SIGKILL = 9


def living() -> dict[int, tuple[int, int]]:
    """Parent and session of every process but process 1 and the dead that await their parent."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            with open(f"/proc/{name}/stat", "rb") as file:
                state, parent, _, session, *_ = file.read().rpartition(b")")[2].split()
        except (OSError, ValueError):
            continue
        if state not in (b"Z", b"X"):
            found[int(name)] = (int(parent), int(session))
    return found


def environment_of(pid: int) -> bytes:
    """The environment *pid* was started with; empty when it may not be read."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return file.read() + b"\0"
    except OSError:
        return b""


def inode_of(protocol: str, port: int, server_port: int) -> str:
    """The socket that is bound to *port* and, when connected, to *server_port*; empty if none."""
    for table in (protocol, f"{protocol}6"):
        try:
            with open(f"/proc/net/{table}") as file:
                lines = file.read().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            _, local, remote, *rest = line.split()
            here, there = (int(end.rpartition(":")[2], 16) for end in (local, remote))
            if here == port and there in (server_port, 0):
                return rest[6]
    return ""


def holder_of(inode: str) -> int:
    """A process with a descriptor of that socket; 0 when there is none."""
    wanted = f"socket:[{inode}]"
    for pid in sorted(living(), reverse=True):
        try:
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{descriptor}") == wanted:
                    return pid
        except OSError:
            continue
    return 0


def memory_of(pid: int) -> int:
    """The share of memory that is *pid*'s, in bytes; 0 when it is gone."""
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) << 10
    except OSError:
        return resident_of(pid)
    return 0


def resident_of(pid: int) -> int:
    """What *pid* holds in memory, shared pages included: all that can be read of a closed one."""
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def send_kill(pid: int) -> None:
    """SIGKILL to *pid*, or with -1 to everything but the caller; what is gone already is fine."""
    try:
        os.kill(pid, SIGKILL)
    except ProcessLookupError:
        return

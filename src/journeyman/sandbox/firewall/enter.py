"""Making sockets inside a network namespace, in a thread or a process that ends there.

As a process it runs from its source text under the host's python3. Arguments: the descriptor of
the namespace, the one of a socket to answer on, how many UDP and how many TCP sockets. Knows
nothing of what they are for: they are bound by who receives them, and stay in their namespace.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import sys

NS_GET_USERNS = 0xB701
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
LOWEST_PORT = "/proc/sys/net/ipv4/ip_unprivileged_port_start"


def enter(namespace: int) -> None:
    """Into the network namespace; without power of our own, as its owner."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET) == 0:
        return
    libc.setns(fcntl.ioctl(namespace, NS_GET_USERNS), CLONE_NEWUSER)
    if libc.setns(namespace, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def make(namespace: int, datagrams: int, streams: int) -> list[socket.socket]:
    """Those sockets; whoever calls is in the namespace from now on. Raises OSError."""
    enter(namespace)
    with open(LOWEST_PORT, "w") as lowest:
        lowest.write("0")
    kinds = [socket.SOCK_DGRAM] * datagrams + [socket.SOCK_STREAM] * streams
    return [socket.socket(socket.AF_INET, kind) for kind in kinds]


def main() -> None:
    """Do it, and pass them back."""
    namespace, answer, datagrams, streams = map(int, sys.argv[1:])
    made = make(namespace, datagrams, streams)
    descriptors = [one.fileno() for one in made]
    socket.send_fds(socket.socket(fileno=answer), [b"ok"], descriptors)


if __name__ == "__main__":
    main()

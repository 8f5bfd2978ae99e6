"""Runs inside a sandbox, from its text: makes forbidden system calls, prints `name errno` for each.

Its argument holds `name number argument…` lines. Knows nothing of what is expected.
"""

from __future__ import annotations

import ctypes
import mmap
import socket
import struct
import sys

libc = ctypes.CDLL(None, use_errno=True)


def attempt(name: str, number: int, *arguments: int) -> None:
    """Make one system call; 0 when it succeeded."""
    ctypes.set_errno(0)
    outcome = libc.syscall(ctypes.c_long(number), *map(ctypes.c_long, arguments))
    print(name, 0 if outcome >= 0 else ctypes.get_errno(), flush=True)


def by_the_32_bit_gate() -> None:
    """getpid of the 32-bit table, by interrupt 0x80."""
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    address = ctypes.addressof(ctypes.c_char.from_buffer(code))
    print("int80", -ctypes.CFUNCTYPE(ctypes.c_int)(address)(), flush=True)


def of_process_1() -> None:
    """Look into and seize process 1."""
    attempt("ptrace", 101, 16, 1, 0, 0)
    buffer = ctypes.create_string_buffer(8)
    vector = ctypes.create_string_buffer(struct.pack("QQ", ctypes.addressof(buffer), 8))
    place = ctypes.addressof(vector)
    attempt("process_vm_readv", 310, 1, place, 1, place, 1, 0)
    handle = libc.syscall(434, 1, 0)
    attempt("pidfd_getfd", 438, handle, 0, 0)


def sockets() -> None:
    """Open one socket of every family."""
    for family in range(1, 46):
        try:
            socket.socket(family, socket.SOCK_DGRAM).close()
            error = 0
        except OSError as refused:
            error = refused.errno or -1
        print(f"family{family}", error, flush=True)


def main() -> None:
    """Everything that is asked for, then what needs more than a number."""
    for line in sys.argv[1].splitlines():
        name, *numbers = line.split()
        attempt(name, *map(int, numbers))
    sockets()
    of_process_1()
    by_the_32_bit_gate()


if __name__ == "__main__":
    main()

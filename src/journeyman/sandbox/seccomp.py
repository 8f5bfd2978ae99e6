"""The system calls that code in a sandbox may not make, as a BPF program for `bwrap --seccomp`.

Knows nothing of bubblewrap or of sessions. Assembled here, so that a host needs no libseccomp.
"""

from __future__ import annotations

import errno
import struct

Numbers = tuple[int | None, int | None]

ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine name to (column of the tables below, AUDIT_ARCH value)."""

REFUSED: dict[str, Numbers] = {
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467),
    "unshare": (272, 97),
    "setns": (308, 268),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "reboot": (169, 142),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "iopl": (172, None),
    "ioperm": (173, None),
    "vhangup": (153, 58),
    "lookup_dcookie": (212, 18),
    "nfsservctl": (180, 42),
    "kcmp": (312, 272),
    "fanotify_init": (300, 262),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "mbind": (237, 235),
    "set_mempolicy": (238, 237),
    "uselib": (134, None),
    "ustat": (136, None),
    "sysfs": (139, None),
    "_sysctl": (156, None),
    "modify_ldt": (154, None),
}
"""Answered with EPERM: (x86_64, aarch64) numbers."""

ABSENT: dict[str, Numbers] = {
    "clone3": (435, 435),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "listns": (470, 470),
}
"""Answered with ENOSYS, so that libraries fall back: clone3 hides its flags from the filter."""

CLONE, SOCKET, SOCKETPAIR, IOCTL = (56, 220), (41, 198), (53, 199), (16, 29)
NEW_NAMESPACE_FLAGS = 0x7E020000
SOCKET_FAMILIES = (1, 2, 10, 16)
"""UNIX, INET, INET6, NETLINK. VSOCK knows no network namespace: it would reach the hypervisor."""
TERMINAL_INJECTION = (0x5412, 0x541C)
"""ioctl requests TIOCSTI and TIOCLINUX."""
X32_BIT = 0x40000000

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NUMBER_AT, _ARCH_AT, _ARGUMENT_0_AT, _ARGUMENT_1_AT = 0, 4, 16, 24


def program(machine: str) -> bytes:
    """The filter for *machine* (`platform.machine()`); KeyError where there is no table for it."""
    column, architecture = ARCHITECTURES[machine]
    parts = [
        _step(_LOAD, _ARCH_AT),
        _unless_equal(architecture, errno.ENOSYS),
        _step(_LOAD, _NUMBER_AT),
    ]
    if machine == "x86_64":
        parts.append(_step(_AT_LEAST, X32_BIT, no=1) + _refuse(errno.ENOSYS))
    for table, error in ((REFUSED, errno.EPERM), (ABSENT, errno.ENOSYS)):
        parts += [
            _step(_EQUAL, number, no=1) + _refuse(error)
            for numbers in table.values()
            if (number := numbers[column]) is not None
        ]
    parts.append(_on(CLONE[column], _refuse_bits(NEW_NAMESPACE_FLAGS)))
    parts += [_on(numbers[column], _only(SOCKET_FAMILIES)) for numbers in (SOCKET, SOCKETPAIR)]
    parts.append(_on(IOCTL[column], _refuse_values(TERMINAL_INJECTION)))
    return b"".join([*parts, _allow()])


def _step(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def _allow() -> bytes:
    return _step(_RETURN, _ALLOW)


def _refuse(error: int) -> bytes:
    return _step(_RETURN, _ERRNO | error)


def _unless_equal(value: int, error: int) -> bytes:
    return _step(_EQUAL, value, yes=1) + _refuse(error)


def _on(number: int, body: bytes) -> bytes:
    """*body* decides about system call *number*; every other one goes on behind it."""
    return _step(_EQUAL, number, no=len(body) // 8) + body


def _refuse_bits(mask: int) -> bytes:
    test = _step(_LOAD, _ARGUMENT_0_AT) + _step(_ANY_BIT, mask, no=1)
    return test + _refuse(errno.EPERM) + _allow()


def _only(values: tuple[int, ...]) -> bytes:
    body = _step(_LOAD, _ARGUMENT_0_AT)
    for index, value in enumerate(values):
        body += _step(_EQUAL, value, yes=len(values) - index)
    return body + _refuse(errno.EAFNOSUPPORT) + _allow()


def _refuse_values(values: tuple[int, ...]) -> bytes:
    body = _step(_LOAD, _ARGUMENT_1_AT)
    for value in values:
        body += _step(_EQUAL, value, no=1) + _refuse(errno.EPERM)
    return body + _allow()


def profile(machine: str) -> dict[str, object]:
    """The same policy for *machine* as a container engine takes it, in libseccomp's words.

    KeyError where there is no table. An architecture other than the machine's ends the process.
    Ranges and bits are written out: libseccomp compares 64 bits and each argument but once, the
    kernel looks at 32.
    """
    column, _ = ARCHITECTURES[machine]
    there = {
        error: [name for name, numbers in table.items() if numbers[column] is not None]
        for table, error in ((REFUSED, errno.EPERM), (ABSENT, errno.ENOSYS))
    }
    rules = [_rule(names, error) for error, names in there.items()]
    for bit in (1 << place for place in range(32) if NEW_NAMESPACE_FLAGS >> place & 1):
        rules.append(_rule(["clone"], errno.EPERM, _argument(0, bit, bit)))
    others = [family for family in range(max(SOCKET_FAMILIES)) if family not in SOCKET_FAMILIES]
    above = {"index": 0, "value": max(SOCKET_FAMILIES), "valueTwo": 0, "op": "SCMP_CMP_GT"}
    for test in (above, *(_argument(0, 0xFFFFFFFF, family) for family in others)):
        rules.append(_rule(["socket", "socketpair"], errno.EAFNOSUPPORT, test))
    for request in TERMINAL_INJECTION:
        rules.append(_rule(["ioctl"], errno.EPERM, _argument(1, 0xFFFFFFFF, request)))
    architecture = f"SCMP_ARCH_{machine.upper()}"
    return {
        "defaultAction": "SCMP_ACT_ALLOW",
        "architectures": [architecture],
        "syscalls": rules,
    }


def _rule(names: list[str], error: int, *tests: dict[str, object]) -> dict[str, object]:
    refused = {"action": "SCMP_ACT_ERRNO", "errnoRet": error}
    return {"names": names, **refused, "args": list(tests)}


def _argument(index: int, mask: int, value: int) -> dict[str, object]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}

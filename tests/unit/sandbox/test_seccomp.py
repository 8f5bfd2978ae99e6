"""The filter, run by a small interpreter: so the table for the other machine is tested as well."""

from __future__ import annotations

import errno
import struct

import pytest

from journeyman.sandbox import seccomp

ALLOW = 0x7FFF0000
MACHINES = tuple(seccomp.ARCHITECTURES)
GETPID = {"x86_64": 39, "aarch64": 172}


def verdict(machine: str, number: int, *arguments: int, architecture: int | None = None) -> int:
    """0 when the filter allows the call, otherwise the error it answers."""
    column, own = seccomp.ARCHITECTURES[machine]
    assert column in (0, 1)
    padded = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number, own if architecture is None else architecture, 0, *padded)
    steps = list(struct.iter_unpack("<HBBI", seccomp.program(machine)))
    place = accumulator = 0
    while True:
        code, yes, no, value = steps[place]
        place += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x15:
                place += yes if accumulator == value else no
            case 0x35:
                place += yes if accumulator >= value else no
            case 0x45:
                place += yes if accumulator & value else no
            case 0x06:
                return 0 if value == ALLOW else value & 0xFFFF


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", seccomp.REFUSED)
def test_dangerous_calls_are_refused(machine: str, name: str) -> None:
    number = seccomp.REFUSED[name][seccomp.ARCHITECTURES[machine][0]]
    if number is not None:
        assert verdict(machine, number) == errno.EPERM


@pytest.mark.parametrize("name", seccomp.ABSENT)
def test_calls_with_a_fallback_do_not_exist(machine: str, name: str) -> None:
    number = seccomp.ABSENT[name][seccomp.ARCHITECTURES[machine][0]]
    assert number is not None
    assert verdict(machine, number) == errno.ENOSYS


def test_ordinary_calls_are_allowed(machine: str) -> None:
    assert verdict(machine, GETPID[machine]) == 0


def test_processes_may_be_made_but_not_namespaces(machine: str) -> None:
    clone = seccomp.CLONE[seccomp.ARCHITECTURES[machine][0]]
    assert verdict(machine, clone, 17) == 0
    for bit in (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x40000000):
        assert verdict(machine, clone, 17 | bit) == errno.EPERM


@pytest.mark.parametrize("family", range(46))
def test_only_four_families_of_sockets(machine: str, family: int) -> None:
    column = seccomp.ARCHITECTURES[machine][0]
    expected = 0 if family in seccomp.SOCKET_FAMILIES else errno.EAFNOSUPPORT
    assert verdict(machine, seccomp.SOCKET[column], family) == expected
    assert verdict(machine, seccomp.SOCKETPAIR[column], family) == expected


def test_no_typing_into_terminals(machine: str) -> None:
    ioctl = seccomp.IOCTL[seccomp.ARCHITECTURES[machine][0]]
    for request in seccomp.TERMINAL_INJECTION:
        assert verdict(machine, ioctl, 0, request) == errno.EPERM
    assert verdict(machine, ioctl, 0, 0x5401) == 0


def test_another_architecture_does_not_exist(machine: str) -> None:
    assert verdict(machine, GETPID[machine], architecture=0x40000003) == errno.ENOSYS


def test_the_x32_table_does_not_exist() -> None:
    assert verdict("x86_64", seccomp.X32_BIT | 39) == errno.ENOSYS


def test_an_unknown_machine_is_an_error() -> None:
    with pytest.raises(KeyError):
        seccomp.program("riscv64")

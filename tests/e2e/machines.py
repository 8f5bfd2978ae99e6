"""Machines of one test: each with a network, processes and a disk of its own, which go with it.

Made of namespaces: only a cable leads to the host, and what the host has in a *hidden* directory
is not to be seen.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.server import JOURNEYMAN
from tests.integration.sandbox.requirement import lacking, require_root

NETWORK = "10.213.0.0/16"
START_SECONDS = 30.0
BOOT = """
set -e
ip link set lo up
mount -t tmpfs disk "$1"
mount -t tmpfs nothing "$2"
touch "$1/booted"
while ! ip -brief address show dev cable 2>/dev/null | grep -q 10.213; do sleep 0.05; done
shift 2
exec "$@"
"""


def require_machines() -> None:
    """Go on only where they can be made."""
    require_root()
    if shutil.which("ip") is None:
        lacking("needs ip, of the package iproute2")


@dataclass
class Machine:
    """`host` is what the other end of its cable is called."""

    number: int
    disk: Path
    log: Path
    process: subprocess.Popen[bytes]

    @property
    def host(self) -> str:
        return _host(self.number)

    def wait_for(self, text: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        while text not in self.log.read_text():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def destroy(self) -> None:
        """At once, with all that runs on it and its disk."""
        self.process.kill()
        self.process.wait(10)


@contextmanager
def machine(number: int, root: Path, hidden: Path, *arguments: str) -> Iterator[Machine]:
    """One that runs `journeyman` with *arguments*; `{host}` in them is the host's address."""
    disk, log = root / f"disk{number}", root / f"machine{number}.log"
    disk.mkdir()
    told = [one.format(host=_host(number)) for one in arguments]
    command = [str(JOURNEYMAN), *told, "--data", str(disk)]
    unshare = ("unshare", "--net", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc")
    with log.open("ab") as file:
        process = subprocess.Popen(
            [*unshare, "sh", "-c", BOOT, "boot", disk, hidden, *command],
            env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
            stdout=file,
            stderr=file,
        )
    made = Machine(number, disk, log, process)
    try:
        _plug(made)
        yield made
    finally:
        made.destroy()
        print(log.read_text())


def _host(number: int) -> str:
    return f"10.213.{number}.1"


def _plug(made: Machine) -> None:
    """A cable from the host into the machine's network, which lives as long as that one."""
    inside = _child(made.process.pid)
    end = f"jm{os.getpid() % 100_000}-{made.number}"
    _run("ip", "link", "add", end, "type", "veth", "peer", "name", "cable", "netns", inside)
    _run("ip", "address", "add", f"{made.host}/24", "dev", end)
    _run("ip", "link", "set", end, "up")
    enter = ("nsenter", "--net", "--target", inside, "ip")
    _run(*enter, "link", "set", "cable", "up")
    _run(*enter, "address", "add", f"10.213.{made.number}.2/24", "dev", "cable")


def _child(pid: int) -> str:
    """The first process of the machine, once it has its namespaces."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if below and os.readlink(f"/proc/{below[0]}/ns/net") != os.readlink("/proc/self/ns/net"):
            return below[0]
        time.sleep(0.02)
    raise AssertionError("the machine did not start")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (command, done.stderr)

"""Private container engines for a test run: on sockets of their own, in temporary directories.

They end with whoever started them. No registry is asked: images are made here.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0
PROGRAMS = {"docker": "dockerd", "podman": "podman"}
LEFT = ("libpod_parent/conmon", "libpod_parent")
"""Control groups that Podman leaves in every hierarchy; every Podman uses the same."""


@contextmanager
def running(name: str) -> Iterator[Path | None]:
    """The socket of the engine *name*; None when it is not installed or we are not root."""
    if shutil.which(PROGRAMS[name]) is None or os.geteuid() != 0:
        yield None
        return
    directory = Path(tempfile.mkdtemp(prefix=f"journeyman-{name}-"))
    command, environment = COMMANDS[name](directory)
    with (directory / "log").open("ab") as log:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *command],
            env={"PATH": os.environ["PATH"], "HOME": str(directory), **environment},
            stdout=log,
            stderr=log,
        )
    try:
        _wait(process, directory)
        yield directory / "socket"
    finally:
        process.terminate()
        process.wait(30)
        _clean(directory)


def _docker(directory: Path) -> tuple[list[str], dict[str, str]]:
    places = {"--data-root": "root", "--exec-root": "exec", "--pidfile": "pid"}
    flags = [part for flag, name in places.items() for part in (flag, str(directory / name))]
    network = ("--bridge=none", "--iptables=false", "--ip6tables=false")
    group = f"--cgroup-parent=/{directory.name}"
    return ["dockerd", *flags, *network, group, "-H", f"unix://{directory}/socket"], {}


def _podman(directory: Path) -> tuple[list[str], dict[str, str]]:
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    (directory / "containers.conf").write_text(
        "[engine]\n"
        'runtime = "runc"\n'  # crun refuses machines with control groups of both versions
        'cgroup_manager = "cgroupfs"\n'
        'events_logger = "file"\n'
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}"]\n'
    )
    (directory / "storage.conf").write_text(
        "[storage]\n"
        'driver = "overlay"\n'
        f'graphroot = "{directory}/root"\n'
        f'runroot = "{directory}/run"\n'
    )
    environment = {
        "CONTAINERS_CONF": str(directory / "containers.conf"),
        "CONTAINERS_STORAGE_CONF": str(directory / "storage.conf"),
    }
    command = ["podman", "system", "service", "--time=0", f"unix://{directory}/socket"]
    return command, environment


COMMANDS: dict[str, Callable[[Path], tuple[list[str], dict[str, str]]]] = {
    "docker": _docker,
    "podman": _podman,
}


def _wait(process: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not _answers(directory / "socket"):
        if process.poll() is not None or time.monotonic() > deadline:
            raise AssertionError((directory / "log").read_text()[-4000:])
        time.sleep(0.05)


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as asking, contextlib.suppress(OSError):
        asking.settimeout(5)
        asking.connect(str(path))
        asking.sendall(b"GET /_ping HTTP/1.0\r\nHost: engine\r\n\r\n")
        return b" 200 " in asking.recv(100)
    return False


def _clean(directory: Path) -> None:
    """Whatever became of the engine: its processes, its mounts, its control groups, its files."""
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{directory}/".encode() in (entry / "cmdline").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{directory}/")), reverse=True):
        subprocess.run(["umount", "--lazy", mount], check=False, capture_output=True)
    for base in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").glob("*/")):
        ours = [*base.glob(f"{directory.name}/*/"), base / directory.name]
        for folder in (*ours, *(base / name for name in LEFT)):
            with contextlib.suppress(OSError):
                folder.rmdir()
    shutil.rmtree(directory, ignore_errors=True)

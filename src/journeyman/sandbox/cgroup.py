"""Control groups: what the kernel enforces on a session as a whole, by version 2 or version 1.

Knows nothing of bubblewrap. What could not be set is not claimed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

from journeyman.sandbox import Limits

PREFIX = "journeyman-"
SERVICE = "service.journeyman"
"""Where the service itself goes when its group is to have groups below it."""
MOUNT = Path("/sys/fs/cgroup")
PROCESSES = "cgroup.procs"
PERIOD_US = 100_000
CONTROLLERS = ("memory", "pids", "cpu")
REMOVAL_ATTEMPTS = 100


@dataclass(frozen=True)
class Cgroup:
    """One session's groups, one folder per hierarchy."""

    folders: tuple[Path, ...] = ()
    enforced: dict[str, str] = field(default_factory=dict)
    """Controller to the version that holds its limit, for example {"memory": "cgroup v1"}."""

    def add(self, pid: int) -> None:
        """Move process *pid* in, which takes the kernel 10 ms or more. Raises OSError."""
        for folder in self.folders:
            (folder / PROCESSES).write_text(str(pid))

    def holds(self, pid: int) -> bool:
        """Whether process *pid* is in. Raises OSError."""
        return all(str(pid) in (folder / PROCESSES).read_text().split() for folder in self.folders)

    async def remove(self) -> None:
        """Delete the folders, for up to a second while their last processes vanish."""
        for folder in self.folders:
            for _ in range(REMOVAL_ATTEMPTS):
                if _removed(folder):
                    break
                await asyncio.sleep(0.01)


@dataclass(frozen=True)
class Cgroups:
    """Where this service may make groups."""

    unified: Path | None = None
    """The version 2 folder below which groups are made; None without delegated controllers."""
    unified_controllers: frozenset[str] = frozenset()
    classic: dict[str, Path] = field(default_factory=dict)
    """Controller to its version 1 folder."""

    def create(self, name: str, limits: Limits) -> Cgroup:
        """Groups with *limits*; whatever cannot be limited is absent from `enforced`."""
        folders: list[Path] = []
        enforced: dict[str, str] = {}
        label = f"{PREFIX}{os.getpid()}-{name}"
        if self.unified is not None and _made(self.unified / label):
            folders.append(self.unified / label)
            for controller in self.unified_controllers:
                if _set(self.unified / label, _settings_v2(controller, limits)):
                    enforced[controller] = "cgroup v2"
        for controller, base in self.classic.items():
            if controller in enforced or not _made(base / label):
                continue
            folders.append(base / label)
            if _set(base / label, _settings_v1(controller, limits)):
                enforced[controller] = "cgroup v1"
        return Cgroup(tuple(folders), enforced)

    async def sweep(self) -> None:
        """Delete the groups of services that no longer run, and what may still run in them."""
        bases = [base for base in (self.unified, *self.classic.values()) if base is not None]
        for folder in [folder for base in bases for folder in base.glob(f"{PREFIX}*")]:
            owner = folder.name.removeprefix(PREFIX).partition("-")[0]
            if not Path("/proc", owner).exists():
                _kill(folder)
                await Cgroup((folder,)).remove()


def find(mount: Path = MOUNT, own: str | None = None) -> Cgroups:
    """What this process may use; *own* is its /proc/self/cgroup. Version 2 may move it."""
    places = dict(_parse(Path("/proc/self/cgroup").read_text() if own is None else own))
    unified, controllers = None, frozenset[str]()
    for root in (mount, mount / "unified"):
        if (root / "cgroup.controllers").exists() and "" in places:
            unified = root / places[""].removesuffix(f"/{SERVICE}").lstrip("/")
            controllers = _delegate(unified)
            break
    classic = {
        controller: base
        for controller in CONTROLLERS
        if controller not in controllers and controller in places
        if os.access(base := mount / controller / places[controller].lstrip("/"), os.W_OK)
    }
    return Cgroups(unified if controllers else None, controllers, classic)


def _parse(own: str) -> list[tuple[str, str]]:
    places = []
    for line in own.splitlines():
        _, controllers, path = line.split(":", 2)
        places += [(controller, path) for controller in controllers.split(",")]
    return places


def _delegate(base: Path) -> frozenset[str]:
    """Turn the controllers on for groups below *base*; those that are then on."""
    try:
        there = (base / "cgroup.controllers").read_text().split()
        wanted = [controller for controller in CONTROLLERS if controller in there]
        if wanted and (base / "cgroup.type").exists():
            _move_out_of(base)
    except OSError:
        return frozenset()
    switch = "cgroup.subtree_control"
    return frozenset(name for name in wanted if _set(base, {switch: f"+{name}"}))


def _move_out_of(base: Path) -> None:
    """A group with processes of its own may not pass controllers on, except the root."""
    service = base / SERVICE
    service.mkdir(exist_ok=True)
    (service / PROCESSES).write_text(str(os.getpid()))


def _settings_v2(controller: str, limits: Limits) -> dict[str, str]:
    return {
        "memory": {
            "memory.max": str(limits.memory_bytes),
            "memory.high": str(limits.memory_bytes * 9 // 10),
            "memory.swap.max": "0",
        },
        "pids": {"pids.max": str(limits.pids)},
        "cpu": {"cpu.max": f"{int(limits.cpus * PERIOD_US)} {PERIOD_US}"},
    }.get(controller, {})


def _settings_v1(controller: str, limits: Limits) -> dict[str, str]:
    return {
        "memory": {
            "memory.limit_in_bytes": str(limits.memory_bytes),
            "memory.memsw.limit_in_bytes": str(limits.memory_bytes),
        },
        "pids": {"pids.max": str(limits.pids)},
        "cpu": {"cpu.cfs_quota_us": str(int(limits.cpus * PERIOD_US))},
    }[controller]


def _set(folder: Path, settings: dict[str, str]) -> bool:
    """True when the first setting took; the others are refinements that a kernel may lack."""
    taken = []
    for name, value in settings.items():
        try:
            (folder / name).write_text(value)
            taken.append(True)
        except OSError:
            taken.append(False)
    return bool(taken) and taken[0]


def _made(folder: Path) -> bool:
    try:
        folder.mkdir()
    except OSError:
        return False
    return True


def _removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _kill(folder: Path) -> None:
    with contextlib.suppress(OSError):
        for pid in (folder / PROCESSES).read_text().split():
            os.kill(int(pid), signal.SIGKILL)

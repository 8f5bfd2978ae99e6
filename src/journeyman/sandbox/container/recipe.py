"""One session as a container: what an engine is told to make.

Knows nothing of how an engine is spoken to. The container has no network, no capability, no
volume, a root that nobody writes to, and process 1 of our own, run by the host's python.
"""

from __future__ import annotations

import os
import platform
import resource
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from journeyman.sandbox import CACHE, HOME, MIRROR, WORKSPACE, SandboxSpec, folders, inside
from journeyman.sandbox.folders import Account

CONTROL = "/run/journeyman/control"
SOCKET = "socket"
HOST = "/run/journeyman/host"
"""Where an image of its own sees the host's /usr, for process 1."""
OWNER, SESSION = "journeyman.owner", "journeyman.session"
"""Labels: the process that made a container, and for what."""
LOADERS = {"x86_64": "/lib64/ld-linux-x86-64.so.2", "aarch64": "/lib/ld-linux-aarch64.so.1"}
PID_MAX = Path("/proc/sys/kernel/pid_max")
CPU_SCALE = 1_000_000_000

Json = dict[str, object]


@dataclass(frozen=True)
class Recipe:
    """What does not change from session to session."""

    image: str
    foreign: bool
    """True: the image brings its own system; False: it is empty, and gets the host's /usr."""
    account: Account
    seccomp: str
    """The profile, as JSON."""
    seccomp_by_path: bool
    """Whether the engine wants to be told where it is, and not what it says."""
    runtime: str = ""


@dataclass(frozen=True)
class Layout:
    """What of a session the service itself puts on disk for its container."""

    control: Path
    """Where the service listens, in a folder of its own."""
    init: Path
    seccomp: Path
    files: Mapping[str, Path]
    """By path inside."""


def lay_out(spec: SandboxSpec, recipe: Recipe, init: Mapping[str, bytes]) -> Layout:
    """Write it below the session's folder. Raises OSError, ValueError for a file's wrong place."""
    account = recipe.account
    given = inside.files(spec.files, {}, uid=account.uid)
    root = spec.directory / "container"
    for name, mode in (("", 0o711), ("control", 0o700), ("init", 0o755)):
        (root / name).mkdir(exist_ok=True)
        (root / name).chmod(mode)
    os.chown(root / "control", account.uid, account.gid)
    for path, content in init.items():
        _write(root / "init" / Path(path).name, content)
    files = {path: root / f"file-{number}" for number, path in enumerate(given)}
    for path, place in files.items():
        _write(place, given[path])
    _write(root / "seccomp.json", recipe.seccomp.encode())
    return Layout(root / "control", root / "init", root / "seccomp.json", files)


def container(spec: SandboxSpec, recipe: Recipe, layout: Layout) -> Json:
    """The engine's description of *spec*. Raises OSError where the host's python cannot be lent."""
    limits = spec.limits
    seccomp = str(layout.seccomp) if recipe.seccomp_by_path else recipe.seccomp
    host: Json = {
        "Mounts": list(_mounts(spec, recipe, layout)),
        "NetworkMode": "none",
        "IpcMode": "private",
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp}"],
        "ReadonlyRootfs": True,
        "ShmSize": inside.SHARED_MEMORY_BYTES,
        "Memory": limits.memory_bytes,
        "MemorySwap": limits.memory_bytes,
        "NanoCpus": int(limits.cpus * CPU_SCALE),
        "PidsLimit": limits.pids,
        "Ulimits": [
            _ulimit("core", 0),
            _ulimit("nofile", limits.open_files),
            _ulimit("nproc", _most_processes()),
        ],
    }
    if recipe.runtime:
        host["Runtime"] = recipe.runtime
    python = _lent_python() if recipe.foreign else (inside.PYTHON,)
    return {
        "Image": recipe.image,
        "Entrypoint": [],
        "Cmd": [*python, *inside.arguments(f"{CONTROL}/{SOCKET}")],
        "User": f"{recipe.account.uid}:{recipe.account.gid}",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Labels": {OWNER: str(os.getpid()), SESSION: spec.id},
        "HostConfig": host,
    }


def _write(place: Path, content: bytes) -> None:
    place.write_bytes(content)
    place.chmod(0o444)


def _mounts(spec: SandboxSpec, recipe: Recipe, layout: Layout) -> Iterable[Json]:
    if recipe.foreign:
        yield _bind(Path("/usr"), HOST)
    else:
        yield _bind(Path("/usr"), "/usr")
        for path in map(Path, inside.lent()):
            if path.exists():
                yield _bind(path.resolve(), str(path))
    yield _bind(layout.control, CONTROL)
    yield _bind(layout.init, inside.INIT)
    for place, source in layout.files.items():
        yield _bind(source, place)
    for name, place in (("tmp", "/tmp"), ("home", HOME), ("work", WORKSPACE)):  # noqa: S108
        yield _bind(spec.directory / name, place, writable=True)
    if spec.cache is not None:
        yield _bind(spec.cache, CACHE, writable=True)
    if spec.mirror is not None:
        yield _bind(spec.mirror, MIRROR)
    for folder in sorted(spec.folders):
        if inside.is_free(folder) and folders.is_open(folder):
            yield _bind(folder, str(folder))


def _bind(source: Path, target: str, *, writable: bool = False) -> Json:
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": not writable,
        "BindOptions": {"Propagation": "rprivate"},
    }


def _ulimit(name: str, value: int) -> Json:
    return {"Name": name, "Soft": value, "Hard": value}


def _most_processes() -> int:
    """As many as can be: left to itself, Podman asks for more than some hosts let it have."""
    most = int(PID_MAX.read_text())
    _, ours = resource.getrlimit(resource.RLIMIT_NPROC)
    return most if ours == resource.RLIM_INFINITY else min(most, ours)


def _lent_python() -> Iterable[str]:
    """The host's python under a foreign root: by its own loader, with its own libraries."""
    loader = Path(LOADERS.get(platform.machine(), "/missing")).resolve(strict=True)
    libraries = (loader.parent, Path("/usr/lib64"), Path("/usr/lib"))
    shown = [_below_host(path) for path in libraries]
    python = _below_host(Path(inside.PYTHON).resolve(strict=True))
    return _below_host(loader), "--library-path", ":".join(shown), python


def _below_host(path: Path) -> str:
    """Where a path below /usr is inside. Raises OSError for another."""
    if not path.is_relative_to("/usr"):
        raise OSError(f"{path} is not below /usr, which is all that a container is lent")
    return f"{HOST}/{path.relative_to('/usr')}"

"""The view of the world that a session's commands get, as arguments of bubblewrap.

Knows nothing of processes: it names paths, and puts generated files into descriptors. The order
of the arguments matters: the root is made read-only after every mount point in it exists.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from journeyman.sandbox import MIRROR, WORKSPACE, seccomp
from journeyman.sandbox.descriptors import Descriptors

UID = 1000
HOME = "/home/agent"
PYTHON = "/usr/bin/python3"
INIT = "/run/journeyman/init.py"
ROOT_BYTES = 1 << 20
SHARED_MEMORY_BYTES = 64 << 20

FROM_ETC = (
    "alternatives",
    "ca-certificates",
    "crypto-policies",
    "ld.so.cache",
    "ld.so.conf",
    "ld.so.conf.d",
    "localtime",
    "mime.types",
    "os-release",
    "pki/ca-trust/extracted",
    "pki/tls/certs",
    "protocols",
    "services",
    "ssl/certs",
    "ssl/openssl.cnf",
)
"""What the host's /etc lends, beside Java's settings: nothing that can hold a secret."""

TAKEN = (
    *("/bin", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/tmp"),  # noqa: S108
    *("/usr", "/var", MIRROR, WORKSPACE),
)
"""Where a sandbox has its own, and no folder of the host is put."""

ENVIRONMENT = {
    "PATH": f"{HOME}/.local/bin:/usr/local/bin:/usr/bin:/bin",
    "HOME": HOME,
    "USER": "agent",
    "LANG": "C.UTF-8",
    "TMPDIR": "/tmp",  # noqa: S108 - the sandbox's own
    "TERM": "dumb",
}

GENERATED = {
    "/etc/passwd": (
        "root:x:0:0::/nonexistent:/usr/sbin/nologin\n"
        f"agent:x:{UID}:{UID}::{HOME}:/bin/bash\n"
        "nobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"
    ),
    "/etc/group": f"root:x:0:\nagent:x:{UID}:\nnogroup:x:65534:\n",
    "/etc/hosts": "127.0.0.1 localhost sandbox\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
    "/etc/resolv.conf": "nameserver 127.0.0.1\noptions timeout:2\n",
    "/etc/gitconfig": "[safe]\n\tdirectory = *\n[gc]\n\tauto = 0\n",
}


@dataclass(frozen=True)
class View:
    """What is put where: host paths, as bubblewrap itself can reach them."""

    work: Path
    home: Path
    tmp: Path
    mirror: Path | None
    folders: tuple[Path, ...]
    """To be seen at the same place inside."""
    files: Mapping[str, bytes]
    init: bytes
    """The source of process 1."""
    nested_users_off: bool
    """False for a bubblewrap before 0.8, which cannot; the filter refuses them anyway."""


def init_source() -> bytes:
    """The source of process 1, to be read once: a service outlives an upgrade of its files."""
    return resources.files("journeyman.sandbox").joinpath("init.py").read_bytes()


def options(view: View, given: Descriptors, *, block: int, info: int) -> list[str]:
    """Every option up to the command; generated files and the filter are added to *given*."""
    return [
        *_isolation(view),
        *("--size", str(ROOT_BYTES), "--perms", "0755", "--tmpfs", "/"),
        *_system(),
        *_generated(view, given),
        *_devices(),
        *_session(view),
        *("--remount-ro", "/"),
        *("--seccomp", str(given.hold(seccomp.program(platform.machine())))),
        *("--block-fd", str(block), "--info-fd", str(info)),
    ]


def command(control: int) -> list[str]:
    """Process 1, speaking on descriptor *control*."""
    return [PYTHON, "-I", "-S", INIT, str(control)]


def _isolation(view: View) -> list[str]:
    return [
        *(
            "--unshare-all",
            "--unshare-user",
            *(["--disable-userns"] if view.nested_users_off else []),
        ),
        *("--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"),
    ]


def _system() -> Iterable[str]:
    yield from ("--ro-bind", "/usr", "/usr")
    for path in sorted(Path("/").glob("*bin")) + sorted(Path("/").glob("lib*")):
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), str(path))
        elif path.is_dir():
            yield from ("--ro-bind", str(path), str(path))
    yield from ("--dir", "/etc")
    java = [path.name for path in Path("/etc").glob("java-*-openjdk")]
    for name in sorted([*FROM_ETC, *java]):
        yield from ("--ro-bind-try", f"/etc/{name}", f"/etc/{name}")


def _generated(view: View, given: Descriptors) -> Iterable[str]:
    defaults = {path: text.encode() for path, text in GENERATED.items()}
    for path, content in {**defaults, **view.files, INIT: view.init}.items():
        _check(path)
        yield from ("--perms", "0444", "--ro-bind-data", str(given.hold(content)), path)


def _check(path: str) -> None:
    parts = PurePosixPath(path).parts
    if len(parts) < 3 or parts[:2] not in (("/", "etc"), ("/", "run")) or ".." in parts:
        raise ValueError(f"a generated file belongs below /etc or /run, not at {path!r}")


def _devices() -> Iterable[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from ("--size", str(SHARED_MEMORY_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108
    yield from ("--remount-ro", "/dev")


def _session(view: View) -> Iterable[str]:
    yield from ("--dir", "/run", "--dir", "/var/tmp")  # noqa: S108 - both read-only and empty
    yield from ("--bind", str(view.tmp), "/tmp", "--bind", str(view.home), HOME)  # noqa: S108
    if view.mirror is not None:
        yield from ("--ro-bind", str(view.mirror), MIRROR)
    yield from ("--bind", str(view.work), WORKSPACE, "--chdir", WORKSPACE)
    for path in sorted(view.folders):
        if not any(path.is_relative_to(it) or Path(it).is_relative_to(path) for it in TAKEN):
            yield from ("--ro-bind-try", str(path), str(path))

"""The view of the world that a session's commands get, as arguments of bubblewrap.

Knows nothing of processes: it names paths, and puts generated files into descriptors. The order
of the arguments matters: the root is made read-only after every mount point in it exists.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from journeyman.sandbox import CACHE, HOME, MIRROR, WORKSPACE, folders, inside, seccomp
from journeyman.sandbox.descriptors import Descriptors
from journeyman.sandbox.folders import Account

UID = 1000
"""Of the commands in a user namespace of their own, where any can be chosen."""
NAMESPACES = ("ipc", "pid", "net", "uts", "cgroup")
TO_STEP_DOWN = ("CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP")
ROOT_BYTES = 1 << 20
"""Of the root, beside what the generated files hold."""


@dataclass(frozen=True)
class View:
    """What is put where: host paths, as bubblewrap itself can reach them."""

    work: Path
    home: Path
    tmp: Path
    cache: Path | None
    mirror: Path | None
    folders: tuple[Path, ...]
    """To be seen at the same place inside."""
    files: Mapping[str, bytes]
    init: Mapping[str, bytes]
    """The sources of process 1, by path."""
    system: Path
    """Whose /usr and public parts of /etc are seen."""
    nested_users_off: bool
    """False for a bubblewrap before 0.8, which cannot; the filter refuses them anyway."""
    account: Account | None = None
    """Where there are no user namespaces: whom process 1 becomes, of root which starts it."""


def options(view: View, given: Descriptors, *, block: int, info: int) -> list[str]:
    """Every option up to the command; generated files and the filter are added to *given*."""
    files = _generated(view)
    size = ROOT_BYTES + sum(map(len, files.values()))
    return [
        *_isolation(view),
        *("--size", str(size), "--perms", "0755", "--tmpfs", "/"),
        *_system(view.system),
        *_copied(files, given),
        *_devices(),
        *_session(view),
        *("--remount-ro", "/"),
        *("--seccomp", str(given.hold(seccomp.program(platform.machine())))),
        *("--block-fd", str(block), "--info-fd", str(info)),
    ]


def command(view: View, arguments: list[str]) -> list[str]:
    """Process 1 with *arguments*; without a user namespace it gives up all powers first."""
    python = [inside.PYTHON, *arguments]
    if view.account is None:
        return python
    return [
        *("/usr/bin/setpriv", *folders.stepping_down(view.account)),
        *("--bounding-set=-all", "--no-new-privs", "--pdeathsig=KILL", "--", *python),
    ]


def _isolation(view: View) -> list[str]:
    if view.account is not None:
        added = [part for power in TO_STEP_DOWN for part in ("--cap-add", power)]
        return [
            *(f"--unshare-{namespace}" for namespace in NAMESPACES),
            *("--hostname", "sandbox", "--die-with-parent", "--new-session", "--as-pid-1"),
            *("--clearenv", "--cap-drop", "ALL", *added),
        ]
    return [
        *(
            "--unshare-all",
            "--unshare-user",
            *(["--disable-userns"] if view.nested_users_off else []),
        ),
        *("--uid", str(UID), "--gid", str(UID), "--hostname", "sandbox"),
        *("--die-with-parent", "--new-session", "--as-pid-1", "--cap-drop", "ALL", "--clearenv"),
    ]


def _system(system: Path) -> Iterable[str]:
    yield from ("--ro-bind", f"{system / 'usr'}", "/usr")
    links, folders = inside.links_and_folders(system)
    for path, target in links.items():
        yield from ("--symlink", target, path)
    for path in folders:
        yield from ("--ro-bind", f"{system / path[1:]}", path)
    yield from ("--dir", "/etc")
    for path in inside.lent(system):
        yield from ("--ro-bind-try", f"{system / path[1:]}", path)


def _generated(view: View) -> Mapping[str, bytes]:
    uid = UID if view.account is None else view.account.uid
    return inside.files(view.files, view.init, uid=uid)


def _copied(files: Mapping[str, bytes], given: Descriptors) -> Iterable[str]:
    """Into the root itself, which is read-only in the end: quicker than a mount for each."""
    for path, content in files.items():
        yield from ("--perms", "0444", "--file", str(given.hold(content)), path)


def _devices() -> Iterable[str]:
    yield from ("--proc", "/proc", "--dev", "/dev")
    yield from ("--size", str(inside.SHARED_MEMORY_BYTES), "--perms", "1777", "--tmpfs", "/dev/shm")  # noqa: S108
    yield from ("--remount-ro", "/dev")


def _session(view: View) -> Iterable[str]:
    yield from ("--perms", "0755", "--dir", str(PurePosixPath(HOME).parent))
    yield from ("--dir", "/run", "--dir", "/var/tmp")  # noqa: S108 - both read-only and empty
    yield from ("--bind", str(view.tmp), "/tmp", "--bind", str(view.home), HOME)  # noqa: S108
    if view.cache is not None:
        yield from ("--bind", str(view.cache), CACHE)
    if view.mirror is not None:
        yield from ("--ro-bind", str(view.mirror), MIRROR)
    yield from ("--bind", str(view.work), WORKSPACE, "--chdir", WORKSPACE)
    for path in sorted(view.folders):
        if inside.is_free(path):
            yield from ("--ro-bind-try", str(path), str(path))

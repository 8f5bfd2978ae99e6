"""Starting one bubblewrap: its files, its process, its control groups, its process 1's first word.

Knows nothing of commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from journeyman.sandbox import (
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    arguments,
    folders,
    inside,
    loop_device,
    running,
    staging,
    volume,
)
from journeyman.sandbox.arguments import View
from journeyman.sandbox.cgroup import Cgroup, Cgroups
from journeyman.sandbox.descriptors import Descriptors
from journeyman.sandbox.firewall.sockets import Sockets
from journeyman.sandbox.folders import Account
from journeyman.sandbox.hints import hint_for
from journeyman.sandbox.staging import Sources
from journeyman.sandbox.volume import Volumes
from journeyman.sandbox.wire import Channel

START_SECONDS = 30.0
END_SECONDS = 10.0
BASE = "base"
"""In a session's directory: where the files are that its workspace lies over."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Host:
    """What was found out about this host."""

    bwrap: str
    version: str
    """As bwrap tells it."""
    account: Account | None
    """None when the service is not root: its own account is used."""
    user_namespaces: bool
    """False where only root can isolate: process 1 gives up root's powers itself then."""
    nested_users_off: bool
    cgroups: Cgroups
    volumes: Volumes | None
    """None where no session can have a disk of its own."""
    overlays: bool
    """Whether a session's files can lie over a base."""
    system: Path
    """Whose programs sessions see."""
    init: Mapping[str, bytes]
    """The sources of process 1, by path."""
    enter: str
    """The source of the process that makes sockets inside."""


@dataclass(frozen=True)
class Launched:
    """A sandbox whose process 1 answers."""

    process: subprocess.Popen[bytes]
    child: int
    """Process 1, by its host's number."""
    child_handle: int
    channel: Channel
    cgroup: Cgroup
    errors: int
    sockets: Sockets | None
    """Inside its network namespace; None without a network."""
    disk: str = "polled"
    """How its limit is kept."""

    @property
    def enforced(self) -> Mapping[str, str]:
        """See Started.enforced."""
        return {**self.cgroup.enforced, "disk": self.disk}

    async def end(self) -> None:
        """Kill everything, wait until it is gone, free what was held. Once only."""
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.child_handle, signal.SIGKILL)
        os.close(self.child_handle)
        await _gone(self.process)
        await self.cgroup.remove()
        os.close(self.errors)
        if self.sockets is not None:
            await self.sockets.close()


async def launch(spec: SandboxSpec, host: Host) -> Launched:
    """A running sandbox for *spec*. Raises SandboxUnavailable; nothing is left behind then."""
    with contextlib.ExitStack() as held:
        try:
            sources = await _sources(spec, host, held)
        except OSError as error:
            raise SandboxUnavailable(f"cannot make the session's folders: {error}") from error
        return await _launch(spec, host, sources)


async def _launch(spec: SandboxSpec, host: Host, sources: Sources) -> Launched:
    cgroup = host.cgroups.create(spec.id, spec.limits)
    errors = os.memfd_create("errors", os.MFD_CLOEXEC)
    process: subprocess.Popen[bytes] | None = None
    launched: Launched | None = None
    try:
        async with asyncio.timeout(START_SECONDS):
            process, doors = _spawn(spec, host, sources, errors)
            enter = host.enter if spec.network is not None else None
            launched = await _admit(process, doors, cgroup, errors, enter)
            launched = replace(launched, disk="file system" if sources.disk else "polled")
            await running.limit(launched, spec.limits)
        return launched
    except (OSError, SandboxLost, ValueError) as error:
        text = os.pread(errors, 4096, 0).decode(errors="replace").strip() or str(error)
        await _abandon(process, launched, cgroup, errors)
        raise SandboxUnavailable(f"bubblewrap failed: {text}", hint=hint_for(text)) from error
    except BaseException:
        await asyncio.shield(_abandon(process, launched, cgroup, errors))
        raise


@dataclass(frozen=True)
class _Doors:
    """Our ends of what connects us to a bubblewrap that still waits."""

    control: socket.socket
    info: int
    block: int

    def close(self) -> None:
        self.control.close()
        os.close(self.info)
        os.close(self.block)


async def _sources(spec: SandboxSpec, host: Host, held: contextlib.ExitStack) -> Sources:
    """What the session has on the host, made if missing; *held* until it is mounted."""
    directory, disk = spec.directory, None
    base = await _base(spec, host)
    if host.volumes is not None and not spec.plain and not (directory / "work").exists():
        file = await host.volumes.add(directory, spec.limits.disk_bytes)
        disk = held.enter_context(loop_device.attached(file))
    else:
        folders.make(directory, host.account)
    if spec.cache is not None:
        folders.give(spec.cache, folders.CACHE_MODE, host.account)
    return Sources(directory, disk, spec.mirror, base, spec.cache)


async def _base(spec: SandboxSpec, host: Host) -> Path | None:
    """The session's, from its first start on. Its files are nothing without: they go, too."""
    link = spec.directory / BASE
    if link.is_symlink() and not (host.overlays and link.is_dir()):
        await folders.remove(spec.directory)
    begun = any((spec.directory / name).exists() for name in ("work", volume.FILE))
    if spec.base is not None and host.overlays and not begun and not link.is_symlink():
        spec.directory.mkdir(parents=True, exist_ok=True)
        link.symlink_to(spec.base.absolute())
    return link.readlink() if link.is_symlink() else None


def _spawn(
    spec: SandboxSpec, host: Host, sources: Sources, errors: int
) -> tuple[subprocess.Popen[bytes], _Doors]:
    """Start the process; the sandbox dies with the calling thread."""
    with Descriptors() as given, contextlib.ExitStack() as undo:
        doors, control, block, report = _doors(given)
        undo.callback(doors.close)
        prefix, view = _view(spec, host, sources)
        options = arguments.options(view, given, block=block, info=report)
        listed = given.hold(b"\0".join(os.fsencode(option) for option in options) + b"\0")
        process = subprocess.Popen(
            [
                *prefix,
                host.bwrap,
                "--args",
                str(listed),
                "--",
                *arguments.command(view, inside.arguments(str(control))),
            ],
            env={"PATH": PATH},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=given.numbers,
        )
        undo.pop_all()
    return process, doors


def _doors(given: Descriptors) -> tuple[_Doors, int, int, int]:
    """Our ends; bubblewrap's of the control socket, of what it awaits, of what it reports."""
    ours, theirs = socket.socketpair()
    block, release = os.pipe2(os.O_CLOEXEC)
    info, report = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(info, False)
    control = given.keep(theirs.detach())
    return _Doors(ours, info, release), control, given.keep(block), given.keep(report)


def _view(spec: SandboxSpec, host: Host, sources: Sources) -> tuple[list[str], View]:
    session, cache, mirror = spec.directory, spec.cache, spec.mirror
    work, prefix = session / "work", list[str]()
    if host.account is not None:
        stage = staging.stage_for(sources, host.system, *spec.folders)
        prefix = staging.prefix(stage, sources)
        if host.user_namespaces:
            prefix += ["setpriv", *folders.stepping_down(host.account), "--"]
        session = stage / "session"
        work = stage / "work" if sources.base else session / "work"
        cache = stage / "cache" if cache else None
        mirror = stage / "mirror" if mirror else None
    return prefix, View(
        work=work,
        home=session / "home",
        tmp=session / "tmp",
        cache=cache,
        mirror=mirror,
        folders=tuple(path for path in spec.folders if folders.is_open(path)),
        files=spec.files,
        init=host.init,
        system=host.system,
        nested_users_off=host.nested_users_off,
        account=None if host.user_namespaces else host.account,
    )


async def _admit(
    process: subprocess.Popen[bytes],
    doors: _Doors,
    cgroup: Cgroup,
    errors: int,
    enter: str | None,
) -> Launched:
    """Put the waiting sandbox under its limits, then let it go.

    Its network namespace is opened before: process 1 closes itself to accounts like its own.
    """
    with contextlib.ExitStack() as undo:
        undo.callback(doors.close)
        child = await _limited_child(process, doors.info, cgroup)
        handle = os.pidfd_open(child)
        undo.callback(os.close, handle)
        sockets = None
        if enter is not None:
            namespace = os.open(f"/proc/{child}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            sockets = Sockets(namespace, python=inside.PYTHON, source=enter)
        os.write(doors.block, b"x")
        undo.pop_all()
    os.close(doors.info)
    os.close(doors.block)
    return Launched(
        process, child, handle, Channel(doors.control), cgroup, errors, sockets, "polled"
    )


async def _limited_child(process: subprocess.Popen[bytes], info: int, cgroup: Cgroup) -> int:
    """Process 1, waiting, in the control groups. Bubblewrap gets there while it starts, since that
    takes as long; whether its child was made before or after, it is in when this ends."""
    joining = asyncio.create_task(asyncio.to_thread(_join, cgroup, process.pid))
    try:
        child = await _child(info)
    finally:
        await asyncio.wait([joining])  # who is cancelled leaves nothing open
    if not cgroup.holds(child):
        await asyncio.to_thread(cgroup.add, child)
    return child


def _join(cgroup: Cgroup, pid: int) -> None:
    with contextlib.suppress(OSError):  # it has ended, or its child tells
        cgroup.add(pid)


async def _child(info: int) -> int:
    text = b""
    while not text.rstrip().endswith(b"}"):
        await _readable(info)
        data = os.read(info, 4096)
        if not data:
            raise OSError("bubblewrap ended before it was ready")
        text += data
    return int(json.loads(text)["child-pid"])


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)


async def _gone(process: subprocess.Popen[bytes]) -> None:
    """Wait for bubblewrap, which outlives everything inside; kill it when it is late."""
    if process.poll() is not None:
        return
    handle = os.pidfd_open(process.pid)
    try:
        async with asyncio.timeout(END_SECONDS):
            await _readable(handle)
    except TimeoutError:
        process.kill()
        await _readable(handle)
    finally:
        os.close(handle)
    process.wait()


def _kill_with_children(process: subprocess.Popen[bytes]) -> None:
    """A bubblewrap that is killed early leaves a child that waits for it for ever: it dies with
    its parent only from a later moment on."""
    process.send_signal(signal.SIGSTOP)
    with contextlib.suppress(OSError):
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            os.kill(int(child), signal.SIGKILL)
    process.kill()


async def _abandon(
    process: subprocess.Popen[bytes] | None,
    launched: Launched | None,
    cgroup: Cgroup,
    errors: int,
) -> None:
    if launched is not None:
        await launched.end()
        return
    if process is not None:
        _kill_with_children(process)
        await _gone(process)
    await cgroup.remove()
    os.close(errors)

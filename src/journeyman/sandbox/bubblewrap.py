"""The default way to isolate: one bubblewrap per session, no daemon, no image.

Knows nothing of what runs inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from journeyman.sandbox import (
    Guarantee,
    Probe,
    Sandbox,
    SandboxSpec,
    SandboxUnavailable,
    cgroup,
    folders,
    guarantees,
    hints,
    inside,
    probing,
    staging,
)
from journeyman.sandbox.firewall import sockets
from journeyman.sandbox.firewall.dial import Resolve, Resolver
from journeyman.sandbox.folders import Account
from journeyman.sandbox.launch import Host, launch
from journeyman.sandbox.running import Care, guarded
from journeyman.sandbox.volume import Volumes

UNPRIVILEGED = 65532
"""Below nobody (65534), above every range that distributions hand out."""
NESTED_USERS_OFF_SINCE = (0, 8)


@dataclass(frozen=True)
class Options:
    """What an operator may set about bubblewrap."""

    bwrap: str = "bwrap"
    """The program, by name or path."""
    uid: int = UNPRIVILEGED
    """Host account of the sandboxes' processes when the service is root; never 0."""
    gid: int = UNPRIVILEGED
    """Its group."""
    disk_poll_seconds: float = 5.0
    """How often a session's use of the disk is measured."""
    system: str = ""
    """A folder with the root of another system, whose programs sessions see; empty: the host's."""
    own_disks: bool = True
    """Whether each session gets a file system of its own, where that can be."""
    try_again_seconds: float = 60.0
    """After which what this host seemed to lack is tried once more: the reason may have passed."""


class Bubblewrap:
    """A SandboxBackend on this host's bwrap."""

    name = "bubblewrap"

    def __init__(self, options: Options | None = None, resolve: Resolve | None = None) -> None:
        """*resolve*: how sessions' names become addresses; by default as this host does it."""
        self._options = options or Options()
        self._init = inside.init_sources()
        self._enter = sockets.source()
        self._resolve = Resolver() if resolve is None else resolve
        self._found: Host | None = None
        self._try_again = 0.0
        self._finding = asyncio.Lock()
        self._probing = probing.Probing(self.name, self.start, self._examine)

    async def probe(self) -> Probe:
        """See SandboxBackend.probe."""
        return await self._probing.probe()

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """See SandboxBackend.start."""
        host = await self._host()
        launched = await launch(spec, host)
        care = Care(disk_poll_seconds=self._options.disk_poll_seconds)
        return await guarded(spec, launched, host.account, resolve=self._resolve, care=care)

    async def remove(self, directory: Path) -> None:
        """See SandboxBackend.remove. Raises OSError when something could not be deleted."""
        await folders.remove(directory)

    async def overlays(self) -> bool:
        """See SandboxBackend.overlays."""
        try:
            return (await self._host()).overlays
        except SandboxUnavailable:
            return False

    async def sweep(self) -> None:
        """See SandboxBackend.sweep."""
        with contextlib.suppress(SandboxUnavailable):
            await (await self._host()).cgroups.sweep()
        await probing.sweep()

    async def _examine(self, sandbox: Sandbox) -> Probe:
        host = await self._host()
        found = await guarantees.examine(
            sandbox,
            (
                Guarantee("bubblewrap", True, host.version),
                Guarantee("system", True, _shown(host.system)),
                _users(host),
                _nesting(host),
                _beginning(host),
            ),
            who=f"account {host.account.uid}" if host.account else "the service's own account",
        )
        return Probe(available=True, mode=_mode(host), guarantees=found)

    async def _host(self) -> Host:
        async with self._finding:
            if self._found is None or time.monotonic() >= self._try_again:
                try:
                    found = self._found or await self._find()
                except OSError as error:
                    raise SandboxUnavailable(f"cannot look at this host: {error}") from error
                self._found = await self._tried(found)
                self._try_again = time.monotonic() + self._options.try_again_seconds
            return self._found

    async def _tried(self, host: Host) -> Host:
        """With what only a trial tells of root's powers; what it has stays."""
        account = host.account
        if account is None:  # who is not root has no choice
            return replace(host, user_namespaces=True)
        own_disks = self._options.own_disks
        return replace(
            host,
            user_namespaces=host.user_namespaces
            or await _makes_user_namespaces(host.bwrap, account),
            volumes=host.volumes or (await _volumes(account) if own_disks else None),
            overlays=host.overlays or await staging.overlays(account),
        )

    async def _find(self) -> Host:
        path = shutil.which(self._options.bwrap)
        if path is None:
            raise SandboxUnavailable(
                f"{self._options.bwrap!r} is not installed", hint=hints.INSTALL
            )
        system = Path(self._options.system or inside.HOST).absolute()
        python = system / inside.PYTHON.lstrip("/")
        if not (os.access(python, os.X_OK) and folders.is_open(python)):
            raise SandboxUnavailable(
                f"{python} is not there for everybody", hint=hints.INSTALL_PYTHON
            )
        root = os.geteuid() == 0
        version = await _version(path)
        return Host(
            bwrap=path,
            version=version,
            account=Account(self._options.uid, self._options.gid) if root else None,
            user_namespaces=False,
            volumes=None,
            overlays=False,
            nested_users_off=_numbers(version) >= NESTED_USERS_OFF_SINCE,
            cgroups=cgroup.find(),
            init={**self._init, **await inside.compiled(self._init)},
            system=system,
            enter=self._enter,
        )


async def _volumes(account: Account) -> Volumes | None:
    made = Volumes(account)
    return made if await made.work() else None


async def _makes_user_namespaces(bwrap: str, account: Account) -> bool:
    """Whether root's *account* may, found out by doing so."""
    try:
        process = await asyncio.create_subprocess_exec(
            *("setpriv", *folders.stepping_down(account), "--", bwrap),
            *("--unshare-user", "--unshare-net", "--ro-bind", "/", "/", "true"),
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except OSError:
        return False
    return await process.wait() == 0


def _mode(host: Host) -> str:
    if host.account is None:
        return "as an ordinary user"
    return "as root" if host.user_namespaces else "as root, without user namespaces"


def _shown(system: Path) -> str:
    return "the host's own" if system == inside.HOST else str(system)


def _users(host: Host) -> Guarantee:
    if host.user_namespaces:
        seen = "each session has its own user, process and network view"
        return Guarantee("user namespace", True, seen)
    detail = "not here: root starts process 1, which gives up every power before all else"
    return Guarantee("user namespace", True, detail, hints.ALLOW_USER_NAMESPACES)


def _nesting(host: Host) -> Guarantee:
    if not host.user_namespaces:
        return Guarantee("nested namespaces", True, "refused by the filter")
    if host.nested_users_off:
        return Guarantee("nested namespaces", True, "refused by the kernel and by the filter")
    return Guarantee("nested namespaces", True, "refused by the filter alone", hints.UPGRADE)


def _beginning(host: Host) -> Guarantee:
    if host.overlays:
        return Guarantee("overlay", True, "sessions of a large repository begin on a checkout")
    return Guarantee("overlay", True, "none: each session makes its own checkout", hints.OVERLAY)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version))


async def _version(bwrap: str) -> str:
    process = await asyncio.create_subprocess_exec(
        bwrap,
        "--version",
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    output, _ = await process.communicate()
    return output.decode(errors="replace").strip()

"""The default way to isolate: one bubblewrap per session, no daemon, no image.

Knows nothing of what runs inside.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from journeyman.sandbox import (
    Guarantee,
    Network,
    Probe,
    Sandbox,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    arguments,
    cgroup,
    guarantees,
    hints,
)
from journeyman.sandbox.bubble import Bubble, holder
from journeyman.sandbox.firewall import sockets
from journeyman.sandbox.firewall.dial import Resolve, Resolver
from journeyman.sandbox.firewall.session import Firewall
from journeyman.sandbox.firewall.sockets import SocketsUnavailable
from journeyman.sandbox.launch import Account, Host, Launched, launch

UNPRIVILEGED = 65532
"""Below nobody (65534), above every range that distributions hand out."""
NESTED_USERS_OFF_SINCE = (0, 8)
PROBE = "journeyman-probe-"
"""Begins the name of a probe's folder; the number of its process follows."""


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


class Bubblewrap:
    """A SandboxBackend on this host's bwrap."""

    name = "bubblewrap"

    def __init__(self, options: Options | None = None, resolve: Resolve | None = None) -> None:
        """*resolve*: how sessions' names become addresses; by default as this host does it."""
        self._options = options or Options()
        self._init = arguments.init_source()
        self._enter = sockets.source()
        self._resolve = Resolver() if resolve is None else resolve
        self._found: Host | None = None
        self._finding = asyncio.Lock()
        self._probed: Probe | None = None
        self._probing = asyncio.Lock()

    async def probe(self) -> Probe:
        """See SandboxBackend.probe."""
        async with self._probing:
            if self._probed is None:
                self._probed = await self._try()
            return self._probed

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """See SandboxBackend.start."""
        host = await self._host()
        launched = await launch(spec, host)
        try:
            firewall = await _firewall(spec, launched, self._resolve)
        except (OSError, SandboxLost, SocketsUnavailable) as error:
            await launched.end()
            raise SandboxUnavailable(f"no firewall: {error}", hint=hints.SOCKETS) from error
        except BaseException:
            await asyncio.shield(launched.end())
            raise
        poll = self._options.disk_poll_seconds
        return Bubble(spec, launched, host.account, firewall, disk_poll_seconds=poll)

    async def remove(self, directory: Path) -> None:
        """See SandboxBackend.remove. Raises OSError when something could not be deleted."""
        if await _run("rm", "-rf", "--one-file-system", "--", str(directory)) == 0:
            return
        await _run("chmod", "-R", "u+rwx", "--", str(directory))
        if await _run("rm", "-rf", "--one-file-system", "--", str(directory)) != 0:
            raise OSError(f"could not delete {str(directory)!r}")

    async def sweep(self) -> None:
        """See SandboxBackend.sweep."""
        with contextlib.suppress(SandboxUnavailable):
            await (await self._host()).cgroups.sweep()
        for folder in Path(tempfile.gettempdir()).glob(f"{PROBE}*"):
            owner = folder.name.removeprefix(PROBE).partition("-")[0]
            with contextlib.suppress(FileNotFoundError):
                if not Path("/proc", owner).exists() and folder.stat().st_uid == os.geteuid():
                    await self.remove(folder)

    async def _try(self) -> Probe:
        directory = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix=f"{PROBE}{os.getpid()}-"))
        try:
            host = await self._host()
            sandbox = await self.start(SandboxSpec("probe", directory, network=Network()))
            try:
                found = await guarantees.examine(sandbox, host, host.version)
            finally:
                await sandbox.close()
        except (SandboxUnavailable, SandboxLost) as error:
            hint = error.hint if isinstance(error, SandboxUnavailable) else ""
            failed = Guarantee(self.name, False, str(error), hint)
            return Probe(
                available=False, mode="none", guarantees=(failed,), hint=hint or str(error)
            )
        finally:
            await self.remove(directory)
        mode = "as root" if host.account else "as an ordinary user"
        return Probe(available=True, mode=mode, guarantees=found)

    async def _host(self) -> Host:
        async with self._finding:
            if self._found is None:
                self._found = await self._find()
            return self._found

    async def _find(self) -> Host:
        path = shutil.which(self._options.bwrap)
        if path is None:
            raise SandboxUnavailable(
                f"{self._options.bwrap!r} is not installed", hint=hints.INSTALL
            )
        if not os.access(arguments.PYTHON, os.X_OK):
            raise SandboxUnavailable(
                f"{arguments.PYTHON} is not installed", hint=hints.INSTALL_PYTHON
            )
        root = os.geteuid() == 0
        version = await _version(path)
        return Host(
            bwrap=path,
            version=version,
            account=Account(self._options.uid, self._options.gid) if root else None,
            nested_users_off=_numbers(version) >= NESTED_USERS_OFF_SINCE,
            cgroups=cgroup.find(),
            init=self._init,
            enter=self._enter,
        )


async def _firewall(spec: SandboxSpec, launched: Launched, resolve: Resolve) -> Firewall | None:
    if spec.network is None or launched.sockets is None:
        return None
    who = partial(holder, launched.channel)
    firewall = Firewall(spec.network, sockets=launched.sockets, resolve=resolve, who=who)
    await firewall.open()
    return firewall


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


async def _run(*argv: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *argv, stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
    )
    return await process.wait()

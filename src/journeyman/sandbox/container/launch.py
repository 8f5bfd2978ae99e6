"""Starting one container: its files, its process 1, the socket that the two of us share.

Knows nothing of commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from journeyman.sandbox import (
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    folders,
    hints,
    inside,
    running,
)
from journeyman.sandbox.container import recipe as recipes
from journeyman.sandbox.container.engine import Engine
from journeyman.sandbox.container.recipe import Recipe
from journeyman.sandbox.firewall.sockets import Sockets
from journeyman.sandbox.wire import Channel

START_SECONDS = 60.0
DELETE_AGAIN_SECONDS = (0.1, 0.5)
"""Waits before another try: an engine that is just burying a container refuses to."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Parts:
    """What every launch of a service needs, found out once."""

    engine: Engine
    enforced: Mapping[str, str]
    init: Mapping[str, bytes]
    """The sources of process 1, by path."""
    enter: str
    """The source of the process that makes sockets inside."""


@dataclass(frozen=True)
class Contained:
    """A container whose process 1 answers. A `Started`."""

    engine: Engine
    container: str
    child_handle: int
    channel: Channel
    sockets: Sockets | None
    enforced: Mapping[str, str]

    async def end(self) -> None:
        """See Started.end."""
        await _delete(self.engine, self.container)
        self.channel.close()
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.child_handle, signal.SIGKILL)
        os.close(self.child_handle)
        if self.sockets is not None:
            await self.sockets.close()


async def launch(spec: SandboxSpec, recipe: Recipe, parts: Parts) -> Contained:
    """A running container for *spec*. Raises SandboxUnavailable; nothing is left behind then."""
    making: asyncio.Task[str] | None = None
    contained: Contained | None = None
    try:
        folders.make(spec.directory, recipe.account)
        if spec.cache is not None:
            folders.give(spec.cache, folders.CACHE_MODE, recipe.account)
        layout = recipes.lay_out(spec, recipe, parts.init)
        description = recipes.container(spec, recipe, layout)
        async with asyncio.timeout(START_SECONDS), _listening(layout.control, recipe) as door:
            making = asyncio.create_task(parts.engine.create(description))
            container = await asyncio.shield(making)
            await parts.engine.start(container)
            control = await _first(door, parts.engine, container)
            contained = _admitted(control, container, parts, network=spec.network is not None)
            await running.limit(contained, spec.limits)
        return contained
    except (OSError, SandboxLost, ValueError) as error:
        await _abandon(contained, making, parts.engine)
        text = str(error) or type(error).__name__
        raise SandboxUnavailable(f"{parts.engine.name} failed: {text}") from error
    except BaseException:
        await asyncio.shield(_abandon(contained, making, parts.engine))
        raise


def _admitted(control: socket.socket, container: str, parts: Parts, *, network: bool) -> Contained:
    with contextlib.ExitStack() as undo:
        undo.callback(control.close)
        child = _peer(control)
        handle = os.pidfd_open(child)
        undo.callback(os.close, handle)
        sockets = None
        if network:
            namespace = os.open(f"/proc/{child}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
            sockets = Sockets(namespace, python=inside.PYTHON, source=parts.enter)
        undo.pop_all()
    engine, enforced = parts.engine, parts.enforced
    return Contained(engine, container, handle, Channel(control), sockets, enforced)


def _peer(control: socket.socket) -> int:
    """The number of process 1 on this host. Raises SandboxUnavailable."""
    size = struct.calcsize("3i")
    credentials = control.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    child, _, _ = struct.unpack("3i", credentials)
    if child == 0:
        raise SandboxUnavailable("the engine is not on this host", hint=hints.SAME_HOST)
    return int(child)


@asynccontextmanager
async def _listening(folder: Path, recipe: Recipe) -> AsyncIterator[socket.socket]:
    """A socket in *folder* that the container's account may connect to, once.

    It is bound by way of a descriptor: a socket's path may have 107 bytes only.
    """
    path = folder / recipes.SOCKET
    path.unlink(missing_ok=True)
    opened = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    listening = socket.socket(socket.AF_UNIX)
    try:
        listening.bind(f"/proc/self/fd/{opened}/{recipes.SOCKET}")
        os.chown(path, recipe.account.uid, recipe.account.gid)
        path.chmod(0o600)
        listening.listen(1)
        listening.setblocking(False)
        yield listening
    finally:
        listening.close()
        os.close(opened)
        path.unlink(missing_ok=True)


async def _first(door: socket.socket, engine: Engine, container: str) -> socket.socket:
    """Who knocks first: nobody but process 1 runs yet. SandboxUnavailable when it has ended."""
    knocking = asyncio.create_task(asyncio.get_running_loop().sock_accept(door))
    ending = asyncio.create_task(engine.ended(container))
    try:
        await asyncio.wait([knocking, ending], return_when=asyncio.FIRST_COMPLETED)
        if not knocking.done():
            said = ending.result()
            raise SandboxUnavailable(
                f"process 1 does not run in this image: {said or 'it ended at once'}",
                hint=hints.OWN_SYSTEM,
            )
        return knocking.result()[0]
    finally:
        for task in (knocking, ending):
            task.cancel()
        await asyncio.wait([knocking, ending])
        if not ending.cancelled():
            ending.exception()


async def _abandon(
    contained: Contained | None, making: asyncio.Task[str] | None, engine: Engine
) -> None:
    """End it; one that is still being made, once it is: only then is it known by a name."""
    if contained is not None:
        await contained.end()
    elif making is not None:
        await asyncio.wait([making])
        if making.exception() is None:
            await _delete(engine, making.result())


async def _delete(engine: Engine, container: str) -> None:
    """What cannot be deleted now, also not once it is dead, is swept when a service starts."""
    refused: SandboxUnavailable | None = None
    for wait in (0, *DELETE_AGAIN_SECONDS):
        await asyncio.sleep(wait)
        try:
            await engine.delete(container)
        except SandboxUnavailable as error:
            refused = error
        else:
            return
    log.warning("sandbox.container_left", container=container[:12], error=str(refused))

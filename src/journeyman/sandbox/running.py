"""One running sandbox: commands and files, by way of its process 1.

Knows nothing of how it was started or what isolates it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import posixpath
import socket
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

from journeyman.sandbox import (
    WORKSPACE,
    Blocked,
    ExecResult,
    FileRefused,
    Limits,
    Network,
    OnOutput,
    Process,
    SandboxLost,
    SandboxSpec,
    SandboxUnavailable,
    Terminal,
    TooLarge,
    hints,
)
from journeyman.sandbox.descriptors import sealed
from journeyman.sandbox.disk import Disk
from journeyman.sandbox.firewall import session as firewalled
from journeyman.sandbox.firewall.attempts import COMMAND_CHARACTERS, Owner, Peer
from journeyman.sandbox.firewall.dial import Resolve
from journeyman.sandbox.firewall.session import Firewall
from journeyman.sandbox.firewall.sockets import Sockets, SocketsUnavailable
from journeyman.sandbox.folders import Account
from journeyman.sandbox.inside import ENVIRONMENT
from journeyman.sandbox.output import Pipe
from journeyman.sandbox.talking import Talking, exit_code
from journeyman.sandbox.wire import Channel, Reply, Value

GRACE_SECONDS = 0.2
"""How long output is awaited after a command's end while background processes keep its pipe."""
KILL_SECONDS = 0.9
"""How long the end of a killed tree is awaited before everything is killed."""
TERMINAL = "xterm-256color"
END_OF_TYPING = b"\x04"
ERROR_BYTES = 4096


@dataclass(frozen=True)
class Care:
    """How a backend wants its sandboxes to be kept."""

    disk_poll_seconds: float = 5.0
    """How often a session's use of the disk is measured."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of every command, over the usual and under the session's."""


class Started(Protocol):
    """An isolated process 1 that answers."""

    @property
    def channel(self) -> Channel:
        """To process 1."""
        ...

    @property
    def sockets(self) -> Sockets | None:
        """Inside its network namespace; None without a network."""
        ...

    @property
    def enforced(self) -> Mapping[str, str]:
        """Of memory, pids, cpu, disk: what is limited for the session as a whole, and how."""
        ...

    async def end(self) -> None:
        """Kill everything, wait until it is gone, free what was held. Once only; never raises."""
        ...


async def limit(started: Started, limits: Limits) -> None:
    """Limits of each process, and those that stand in for what nothing else enforces."""
    wanted = {"RLIMIT_CORE": 0, "RLIMIT_NOFILE": limits.open_files}
    if "memory" not in started.enforced:
        wanted["RLIMIT_DATA"] = limits.memory_bytes
    if "pids" not in started.enforced:
        wanted["RLIMIT_NPROC"] = limits.pids
    await started.channel.request(
        "limit",
        limit={name: str(value) for name, value in wanted.items()},
        watched_memory=0 if "memory" in started.enforced else limits.memory_bytes,
    )


async def guarded(
    spec: SandboxSpec, started: Started, account: Account | None, *, resolve: Resolve, care: Care
) -> Running:
    """*started* behind its firewall. Raises SandboxUnavailable; it has ended then."""
    try:
        firewall = await _firewall(spec, started, resolve)
    except (OSError, SandboxLost, SocketsUnavailable) as error:
        await started.end()
        raise SandboxUnavailable(f"no firewall: {error}", hint=hints.SOCKETS) from error
    except BaseException:
        await asyncio.shield(started.end())
        raise
    return Running(spec, started, account, firewall, care)


async def _firewall(spec: SandboxSpec, started: Started, resolve: Resolve) -> Firewall | None:
    if spec.network is None or started.sockets is None:
        return None
    who = partial(holder, started.channel)
    firewall = Firewall(spec.network, sockets=started.sockets, resolve=resolve, who=who)
    await firewall.open()
    return firewall


class Running:
    """A Sandbox: what isolates it, with a process 1 of our own in it."""

    def __init__(
        self,
        spec: SandboxSpec,
        started: Started,
        account: Account | None,
        firewall: Firewall | None,
        care: Care,
    ) -> None:
        self.id = spec.id
        self.enforced: Mapping[str, str] = _enforced(started.enforced, firewall)
        told = {} if firewall is None else firewalled.ENVIRONMENT
        self._environment = {**ENVIRONMENT, **care.env, **told, **spec.env}
        self._firewall = firewall
        self._started = started
        self._channel = started.channel
        self._account = account
        self._closing: asyncio.Task[None] | None = None
        self._killing: set[asyncio.Task[None]] = set()
        folders = [spec.directory] if spec.cache is None else [spec.directory, spec.cache]
        self._disk = Disk(folders, spec.limits.disk_bytes)
        watching = self._disk.watch(care.disk_poll_seconds, self.kill_all)
        self._watching = asyncio.create_task(watching)

    async def exec(
        self,
        command: str | Sequence[str],
        *,
        cwd: str = WORKSPACE,
        env: Mapping[str, str] | None = None,
        stdin: bytes | None = None,
        terminal: Terminal | None = None,
        timeout_seconds: float | None = None,
        limit_bytes: int = 1 << 20,
        on_output: OnOutput | None = None,
    ) -> ExecResult:
        """See Sandbox.exec."""
        began = time.monotonic()
        place, env = "", env or {}
        if terminal is None:
            output = self._pipe(limit_bytes, on_output)
        else:
            master, place = await self._terminal(terminal)
            output = Pipe(limit_bytes, on_output, terminal=master)
            env = {"TERM": TERMINAL, **env}
            if stdin is not None:
                output.type(stdin + END_OF_TYPING)
        try:
            number, code, timed_out = await self._run(
                _argv(command),
                [output],
                cwd=cwd,
                env=env,
                stdin=stdin,
                terminal=place,
                timeout_seconds=timeout_seconds,
            )
            await output.settle(GRACE_SECONDS)
        finally:
            self._release(output)
        return ExecResult(
            exit_code=code,
            output=output.kept.content(),
            truncated=output.kept.truncated,
            timed_out=timed_out,
            seconds=time.monotonic() - began,
            blocked=() if self._firewall is None else self._firewall.attempts.of(number),
        )

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        cwd: str = WORKSPACE,
        env: Mapping[str, str] | None = None,
        limit_bytes: int = 1 << 16,
    ) -> Process:
        """See Sandbox.spawn."""
        full = await self._disk_is_full()
        errors = self._pipe(ERROR_BYTES)
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as undo:
            undo.callback(self._release, errors)
            undo.callback(ours.close)
            number, ended = self._channel.submit(
                "exec",
                [os.dup(theirs.fileno()), theirs.detach(), errors.give_writer()],
                arg=list(argv),
                cwd=posixpath.join(WORKSPACE, cwd),
                env={**self._environment, **(env or {})},
                stdin="given",
                terminal="",
                writing="refused" if full else "allowed",
            )
            if self._channel.lost:
                ended.result()
            reader, writer = await asyncio.open_connection(sock=ours, limit=limit_bytes)
            undo.pop_all()

        async def end() -> None:
            if not ended.done():
                await self._kill(number, ended)
            self._release(errors)

        return Talking(reader, writer, errors, ended, end)

    async def listen(self, port: int) -> socket.socket:
        """See Sandbox.listen."""
        if self._firewall is None:
            raise ValueError("this sandbox was started without a network")
        return await self._firewall.listen(port)

    async def export(self, command: str | Sequence[str], *, limit_bytes: int) -> bytes:
        """See Sandbox.export."""
        errors = self._pipe(ERROR_BYTES)
        output = self._pipe(2 * limit_bytes)
        try:
            code = await self._export(_argv(command), output, errors, limit_bytes)
        finally:
            self._release(output)
            self._release(errors)
        if code != 0:
            text = errors.kept.content().decode(errors="replace").strip()
            raise FileRefused(f"the command failed with {code}: {text}")
        return output.kept.content()

    async def read(self, path: str, *, limit_bytes: int = 1 << 20) -> bytes:
        """See Sandbox.read."""
        reply = await self._ask("open", path=_absolute(path))
        if len(reply.descriptors) != 1:
            reply.close()
            raise SandboxLost("process 1 answered without a file")
        return await asyncio.to_thread(_content, reply.descriptors[0], path, limit_bytes)

    async def write(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """See Sandbox.write."""
        if await self._disk_is_full():
            raise FileRefused(f"{path!r}: {self._disk_notice().decode().strip()}")
        await self._ask("write", [sealed(data)], path=_absolute(path), mode=mode)

    def blocked(self) -> tuple[Blocked, ...]:
        """See Sandbox.blocked."""
        return () if self._firewall is None else self._firewall.blocked()

    def change_network(self, network: Network) -> None:
        """See Sandbox.change_network."""
        if self._firewall is None:
            raise ValueError("this sandbox was started without a network")
        self._firewall.change(network)

    async def kill_all(self) -> None:
        """See Sandbox.kill_all."""
        await self._ask("kill_all")

    async def close(self) -> None:
        """See Sandbox.close."""
        if self._closing is None:
            self._closing = asyncio.create_task(self._end())
        await asyncio.shield(self._closing)

    async def _run(
        self,
        argv: list[str],
        pipes: list[Pipe],
        *,
        cwd: str,
        env: Mapping[str, str] | None,
        stdin: bytes | None,
        terminal: str = "",
        timeout_seconds: float | None,
    ) -> tuple[int, int, bool]:
        """Number, exit code, whether time ran out.

        *pipes*: output, and errors when apart. *terminal*: where it is, in place of them.
        """
        full = await self._disk_is_full()
        if full:
            pipes[-1].kept.add(self._disk_notice())
        descriptors = []
        if not terminal:
            descriptors = [] if stdin is None else [sealed(stdin)]
            descriptors += [pipe.give_writer() for pipe in pipes]
        number, ended = self._channel.submit(
            "exec",
            descriptors,
            arg=argv,
            cwd=posixpath.join(WORKSPACE, cwd),
            env={**self._environment, **(env or {})},
            stdin="none" if stdin is None else "given",
            terminal=terminal,
            writing="refused" if full else "allowed",
        )
        try:
            finished, _ = await asyncio.wait([ended], timeout=timeout_seconds)
        except asyncio.CancelledError:
            await self._kill(number, ended)
            raise
        if not finished:
            await self._kill(number, ended)
        return number, exit_code(await ended, pipes[-1]), not finished

    async def _terminal(self, wanted: Terminal) -> tuple[int, str]:
        """A new terminal's other end, and where it is inside."""
        reply = await self._ask("terminal", rows=wanted.rows, columns=wanted.columns)
        descriptors = reply.descriptors
        if len(descriptors) != 1 or not stat.S_ISCHR(os.fstat(descriptors[0]).st_mode):
            reply.close()
            raise SandboxLost("process 1 answered without a terminal")
        return descriptors[0], reply.fields.get("path", "")

    async def _export(self, argv: list[str], output: Pipe, errors: Pipe, limit_bytes: int) -> int:
        running = asyncio.create_task(
            self._run(
                argv, [output, errors], cwd=WORKSPACE, env=None, stdin=None, timeout_seconds=None
            )
        )
        try:
            while not running.done() and output.kept.total_bytes <= limit_bytes:
                await asyncio.wait([running], timeout=0.02)
            if running.done():
                await output.settle(GRACE_SECONDS)
        finally:
            running.cancel()
            await asyncio.wait([running])
        if output.kept.total_bytes > limit_bytes:
            raise TooLarge(f"more than {limit_bytes} bytes")
        return running.result()[1]

    async def _kill(self, number: int, ended: asyncio.Future[Reply]) -> None:
        """End the tree of command *number*; goes on when the caller is cancelled meanwhile."""
        task = asyncio.create_task(self._kill_tree(number, ended))
        self._killing.add(task)
        task.add_done_callback(self._killing.discard)
        await asyncio.shield(task)

    async def _kill_tree(self, number: int, ended: asyncio.Future[Reply]) -> None:
        _, killed = self._channel.submit("kill", exec=number)
        _, late = await asyncio.wait([killed, ended], timeout=KILL_SECONDS)
        if late:
            _, everything = self._channel.submit("kill_all")
            _, late = await asyncio.wait([everything, ended], timeout=KILL_SECONDS)
        if late:
            await self.close()

    async def _ask(self, operation: str, descriptors: Sequence[int] = (), **fields: Value) -> Reply:
        reply = await self._channel.request(operation, descriptors, **fields)
        if "error" in reply.fields:
            reply.close()
            raise FileRefused(f"{fields.get('path', operation)!r}: {reply.fields['error']}")
        return reply

    async def _disk_is_full(self) -> bool:
        if self._disk.over:
            await self._disk.measure()
        return self._disk.over

    def _disk_notice(self) -> bytes:
        used, limit = self._disk.used_bytes, self._disk.limit_bytes
        return (
            f"The session uses {used} bytes on disk and may use {limit}: "
            "files can be deleted but not written.\n"
        ).encode()

    async def _end(self) -> None:
        self._watching.cancel()
        await asyncio.wait([self._watching])
        await self._started.end()
        if self._firewall is not None:
            await self._firewall.close()

    def _pipe(self, limit_bytes: int, on_output: OnOutput | None = None) -> Pipe:
        pipe = Pipe(limit_bytes, on_output)
        if self._account is not None:
            pipe.give_to(self._account.uid, self._account.gid)
        return pipe

    def _release(self, pipe: Pipe) -> None:
        left = pipe.release()
        if left is not None:
            self._channel.hand_over(left)


def _argv(command: str | Sequence[str]) -> list[str]:
    return ["/bin/bash", "-c", command] if isinstance(command, str) else list(command)


def _absolute(path: str) -> str:
    return posixpath.join(WORKSPACE, path)


def _content(descriptor: int, path: str, limit_bytes: int) -> bytes:
    """Read a descriptor that came from inside, and is not believed to be what was asked for."""
    with open(descriptor, "rb", buffering=0) as file:
        facts = os.fstat(descriptor)
        if not stat.S_ISREG(facts.st_mode):
            raise FileRefused(f"{path!r} is not a regular file")
        if facts.st_size > limit_bytes:
            raise FileRefused(f"{path!r} has {facts.st_size} bytes, more than {limit_bytes}")
        content = bytearray()
        while data := file.read(limit_bytes + 1 - len(content)):
            content += data
    if len(content) > limit_bytes:
        raise FileRefused(f"{path!r} has more than {limit_bytes} bytes")
    return bytes(content)


async def holder(channel: Channel, peer: Peer) -> Owner | None:
    """Which command holds the socket *peer*, as process 1 sees it. What it says is untrusted."""
    try:
        reply = await channel.request("owner", **peer._asdict())
    except SandboxLost:
        return None
    reply.close()
    number, command = reply.fields.get("exec", ""), reply.fields.get("command", "")
    if "error" in reply.fields:
        return None
    shown = "".join(one if one.isprintable() else " " for one in command)
    return Owner(int(number) if number.isdecimal() else None, shown[:COMMAND_CHARACTERS].strip())


def _network(firewall: Firewall | None) -> str:
    if firewall is None:
        return "none"
    return "allowlist" if firewall.transparent else "allowlist, through the proxy only"


def _enforced(groups: Mapping[str, str], firewall: Firewall | None) -> dict[str, str]:
    alone = {"memory": "watched", "pids": "rlimit", "cpu": "nothing", "disk": "polled"}
    return {
        **{limit: groups.get(limit, otherwise) for limit, otherwise in alone.items()},
        "open_files": "rlimit, each process",
        "network": _network(firewall),
    }

"""Where an agent's commands run: the contract every sandbox keeps.

Knows nothing of git, models or tasks. Implementations live beside this file and are named in `app`
only.
"""

from __future__ import annotations

import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

WORKSPACE = "/workspace"
"""Where the repository's working tree is, seen from inside."""
HOME = "/home/agent"
"""The home of its commands, seen from inside; it lasts as long as the session's directory."""
CACHE = f"{HOME}/.cache"
"""Where `SandboxSpec.cache` is, seen from inside."""
MIRROR = "/mirror.git"
"""Where the repository's bare mirror is bound read-only, seen from inside."""


class SandboxUnavailable(Exception):
    """This host cannot isolate; *hint* says how to mend it. No session then runs bare."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class SandboxLost(Exception):
    """The sandbox ended while it was in use (killed, out of memory, closed)."""


class FileRefused(Exception):
    """A path inside is missing, not a regular file, or larger than the limit that was asked for."""


class TooLarge(FileRefused):
    """More than the limit that was asked for."""


@dataclass(frozen=True)
class Limits:
    """What one session may use; `Sandbox.enforced` says what the host cannot enforce."""

    memory_bytes: int = 4 << 30
    cpus: float = 2.0
    pids: int = 512
    open_files: int = 4096
    disk_bytes: int = 10 << 30
    """Past it everything inside is ended, and commands may delete but not write until it fits."""


@dataclass(frozen=True)
class Network:
    """What a session may reach: names, by rules, at public addresses."""

    allow: tuple[str, ...] = ()
    """`host`, `*.host` (what is below it), `host:port`, `host:*`, `*`. Without a port: 443, 80."""
    allowed_networks: tuple[str, ...] = ()
    """Ranges to which an allowed name may lead although they are not public: 10.1.0.0/16."""


@dataclass(frozen=True)
class Blocked:
    """Attempts to reach what a session may not, alike but for their time."""

    host: str
    port: int
    """0 when the name was only looked up."""
    method: str
    """Of HTTP; DNS for a look-up, TCP for a connection that knew of no proxy."""
    reason: str
    command: str = ""
    """The command line that tried, its beginning; empty when it could not be found out."""
    count: int = 1


@dataclass(frozen=True)
class SandboxSpec:
    """One session's sandbox. *directory* on the host gets `work`, `home` and `tmp` if missing."""

    id: str
    directory: Path
    mirror: Path | None = None
    limits: Limits = field(default_factory=Limits)
    env: Mapping[str, str] = field(default_factory=dict)
    """Environment of every command, beside PATH, HOME, USER, LANG, TMPDIR and TERM."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Read-only files of the service's making, mode 0444, by absolute path below /etc or /run."""
    folders: tuple[Path, ...] = ()
    """Folders and files of the host to be read at the same place inside; missing ones are not."""
    network: Network | None = None
    """None: no network at all."""
    image: str = ""
    """For container engines: another image than the backend's own."""
    base: Path | None = None
    """Where `SandboxBackend.overlays`: the directory of a closed `plain` session, whose files the
    workspace begins with. It is not written to, and must stay as long as *directory*; without it
    *directory* begins anew."""
    cache: Path | None = None
    """A folder of the host, made if missing, that is at CACHE and writable. What is in it counts
    with what *directory* holds where nothing but measuring limits that, and outlives it."""
    plain: bool = False
    """Its folders can be read on the host afterwards: they are on no disk of their own."""


@dataclass(frozen=True)
class Provision:
    """What a repository's sessions on this host are given: fields of a SandboxSpec, and more."""

    network: Network | None = None
    """For the agent's commands."""
    env: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    folders: tuple[Path, ...] = ()
    setup: Network | None = None
    """For the repository's setup steps, in the agent's sandbox before the agent begins."""
    mcp: Network | None = None
    """For MCP servers, in a sandbox of their own: rules hold for everything in one sandbox."""
    mcp_by_address: bool = False
    """Whether servers that the repository's settings name by their address need no rule."""
    image: str = ""
    """For container engines: the repository's own."""
    cache: Path | None = None
    ignored: tuple[str, ...] = ()
    """Entries of the repository's allowlist that are no hosts."""


@dataclass(frozen=True)
class ExecResult:
    """The end of one command. *output*: stdout and stderr as they came, less its middle if long."""

    exit_code: int
    """0-255; 128 + n when signal n ended it."""
    output: bytes
    truncated: bool
    """True when *output* lacks its middle."""
    timed_out: bool
    """True when the timeout ended the command; its whole process tree is gone."""
    seconds: float
    blocked: tuple[Blocked, ...] = ()
    """What the firewall refused it, as far as it could be traced to it."""


@dataclass(frozen=True)
class Terminal:
    """What a command that wants a terminal gets as its three standard streams."""

    rows: int = 24
    columns: int = 80


@dataclass(frozen=True)
class Guarantee:
    """One line of `doctor`: what this host does or does not give, and the command that mends it."""

    name: str
    holds: bool
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class Probe:
    """What a backend found when it was really tried on this host."""

    available: bool
    mode: str
    guarantees: tuple[Guarantee, ...] = ()
    hint: str = ""


OnOutput = Callable[[bytes], None]


class Process(Protocol):
    """A command that is talked to while it runs."""

    stdin: StreamWriter
    """A broken pipe is a ConnectionError of its `drain`."""
    stdout: StreamReader

    @property
    def errors(self) -> bytes:
        """What it has written to stderr, less its middle if long."""
        ...

    async def wait(self) -> int:
        """Its exit code, as in ExecResult. Raises SandboxLost."""
        ...

    async def kill(self) -> None:
        """End its whole tree and close its streams. Idempotent, never raises."""
        ...


class Sandbox(Protocol):
    """One running sandbox. Every method may be cancelled; all but `close` may raise SandboxLost."""

    id: str
    enforced: Mapping[str, str]
    """How each limit is enforced here, for example {"memory": "cgroup v1", "disk": "polled"}."""

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
        """Run to the end; a string goes to `/bin/bash -c`. Timeout or cancel kills the whole tree.

        Background processes survive their command until `kill_all` or `close`.
        *limit_bytes* bounds `ExecResult.output`; *on_output* sees every chunk as it comes.
        On a *terminal*, *stdin* is typed, and then ^D; output has its line ends and echo.
        What cannot be started ends with 127 (not there) or 126 and says why in its output.
        """
        ...

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        cwd: str = WORKSPACE,
        env: Mapping[str, str] | None = None,
        limit_bytes: int = 1 << 16,
    ) -> Process:
        """Start a program to talk to, over a socket in place of pipes.

        *limit_bytes*: the longest line that `Process.stdout` takes. What cannot be started ends at
        once, as with `exec`.
        """
        ...

    async def listen(self, port: int) -> socket.socket:
        """A socket on which this process may serve commands, at 127.0.0.1:*port* inside.

        Whoever takes it closes it. ValueError when the sandbox was started without a network, or
        the port is taken.
        """
        ...

    async def export(self, command: str | Sequence[str], *, limit_bytes: int) -> bytes:
        """The standard output of *command*, whole; FileRefused past the limit or when it fails."""
        ...

    async def read(self, path: str, *, limit_bytes: int = 1 << 20) -> bytes:
        """A regular file, resolved inside; FileRefused when missing, special or over the limit."""
        ...

    async def write(self, path: str, data: bytes, *, mode: int = 0o644) -> None:
        """Replace or create a regular file inside, with its parent directories.

        *mode* is for a new file; one that exists keeps its own. FileRefused when it cannot be.
        """
        ...

    def blocked(self) -> tuple[Blocked, ...]:
        """Everything the firewall has refused so far, each kind once, with its count."""
        ...

    def change_network(self, network: Network) -> None:
        """Other rules, at once: connections that they no longer allow end.

        ValueError when a rule is wrong, or when the sandbox was started without a network.
        """
        ...

    async def kill_all(self) -> None:
        """End every process but the sandbox's own process 1."""
        ...

    async def close(self) -> None:
        """End everything, free all but the session's directory. Idempotent, never raises."""
        ...


class Unreachable(Exception):
    """The rules of a session do not let a host be reached; the text says why."""


class Outside(Protocol):
    """What the service itself reaches for a session, under rules like those of its commands."""

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """Where to connect to, for a name or an address.

        Raises Unreachable, once the attempt is noted; OSError when the name leads nowhere.
        """
        ...

    def blocked(self) -> tuple[Blocked, ...]:
        """Every refused attempt so far, each kind once, with its count."""
        ...


class SandboxBackend(Protocol):
    """A way to isolate: bubblewrap, a container engine."""

    name: str

    async def probe(self) -> Probe:
        """Find out by really running it what this host gives. Kept once it isolates."""
        ...

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """A ready sandbox. Raises SandboxUnavailable, never falls back to none."""
        ...

    async def overlays(self) -> bool:
        """Whether this host can lay what a session writes over a `SandboxSpec.base`."""
        ...

    async def remove(self, directory: Path) -> None:
        """Delete a session's directory, however deep and whoever owns its files."""
        ...

    async def sweep(self) -> None:
        """Free what services that died have left on this host."""
        ...

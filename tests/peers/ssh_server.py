"""OpenSSH's server on a socket of this machine, for who runs the tests and one key; nothing of the
machine's own configuration is read.
"""

from __future__ import annotations

import asyncio
import getpass
import os
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

SSHD = "/usr/sbin/sshd"
SEPARATED = Path("/run/sshd")
"""Where it wants an empty directory when it runs as root."""
CONFIG = """\
HostKey "{directory}/host"
AuthorizedKeysFile "{directory}/robot.pub"
AuthenticationMethods publickey
StrictModes no
UsePAM no
AcceptEnv GIT_PROTOCOL
"""


@dataclass(frozen=True)
class SshServer:
    directory: Path
    port: int

    @property
    def key(self) -> Path:
        """The only one that it lets in."""
        return self.directory / "robot"

    @property
    def known_hosts(self) -> Path:
        return self.directory / "known hosts"

    def url(self, path: Path) -> str:
        return f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}{path}"


@asynccontextmanager
async def serving(directory: Path) -> AsyncIterator[SshServer]:
    """As inetd does: a server for each connection."""
    if shutil.which("ssh-keygen") is None or not Path(SSHD).exists():
        pytest.skip("sshd is not installed; please run: sudo apt-get install openssh-server")
    directory.mkdir()
    for name in ("host", "robot"):
        await _make_key(directory / name)
    (directory / "config").write_text(CONFIG.format(directory=directory))
    listening = socket.create_server(("127.0.0.1", 0))
    listening.setblocking(False)
    port = listening.getsockname()[1]
    kind, key, *_ = (directory / "host.pub").read_text().split()
    made = SshServer(directory, port)
    made.known_hosts.write_text(f"[127.0.0.1]:{port} {kind} {key}\n")
    with _separated():
        answering = asyncio.create_task(_answer(listening, directory))
        try:
            yield made
        finally:
            answering.cancel()
            with suppress(asyncio.CancelledError):
                await answering
            listening.close()


async def _make_key(file: Path) -> None:
    made = await asyncio.create_subprocess_exec(
        *("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(file))
    )
    assert await made.wait() == 0


async def _answer(listening: socket.socket, directory: Path) -> None:
    loop, running = asyncio.get_running_loop(), list[asyncio.subprocess.Process]()
    try:
        while True:
            connection, _ = await loop.sock_accept(listening)
            with connection:
                connection.setblocking(True)
                started = await asyncio.create_subprocess_exec(
                    *(SSHD, "-i", "-f", str(directory / "config"), "-E", str(directory / "log")),
                    stdin=connection.fileno(),
                    stdout=connection.fileno(),
                    stderr=asyncio.subprocess.DEVNULL,
                )
            running.append(started)
    finally:
        for process in running:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@contextmanager
def _separated() -> Iterator[None]:
    made = os.getuid() == 0 and not SEPARATED.exists()
    if made:
        SEPARATED.mkdir(mode=0o755)
    try:
        yield
    finally:
        if made:
            SEPARATED.rmdir()

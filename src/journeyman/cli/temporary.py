"""A real server of its own, on a free port with a data directory that is removed afterwards.

For the demo and the benchmarks. Nothing of the user's configuration reaches it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from journeyman import config
from journeyman.cli import probing
from journeyman.domain.errors import AppError, Code

START_SECONDS = 40
STOP_SECONDS = 20
COMMAND = (sys.executable, "-m", "journeyman.cli")


class Failed(AppError):
    """Something was not as it should be."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.UNAVAILABLE, message)


class Server:
    """*directory* has `data`, the server's log, and room for whatever else is made."""

    def __init__(self, directory: Path, port: int, env: Mapping[str, str]) -> None:
        self.directory = directory
        self.data = directory / "data"
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.env = {**config.bare_environment(), "NO_COLOR": "1", **env}
        self._log = directory / "server.log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self, *flags: str) -> None:
        """Until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, "serve", "--data", str(self.data), "--port", str(self.port), *flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.env,
                # Ctrl-C is for us: the server is stopped in order, afterwards.
                start_new_session=True,
            )
        until = time.monotonic() + START_SECONDS
        while not probing.answers(self.url):
            if self._process.poll() is not None:
                raise Failed(f"the server ended at once: {self._last_line()}")
            if time.monotonic() > until:
                raise Failed(f"the server did not answer within {START_SECONDS} seconds")
            time.sleep(0.05)

    def stop(self) -> int:
        """Its exit code. Killed when SIGTERM is not enough."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def run(self, *arguments: str) -> str:
        """Another `journeyman` command on the same data; what it prints."""
        done = subprocess.run(
            [*COMMAND, *arguments, "--data", str(self.data)],
            capture_output=True,
            text=True,
            env=self.env,
            check=False,
        )
        if done.returncode:
            raise Failed(f"`journeyman {' '.join(arguments)}` failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def log_tail(self, lines: int = 20) -> str:
        text = self._log.read_text(errors="replace") if self._log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _last_line(self) -> str:
        return self.log_tail(1).removeprefix("journeyman: ") or "it said nothing"


@contextlib.contextmanager
def server(env: Mapping[str, str] | None = None) -> Iterator[Server]:
    """A server to be started. It ends, and its directory goes, whatever happens inside."""
    directory = Path(tempfile.mkdtemp(prefix="journeyman-"))
    made = Server(directory, free_port(), env or {})
    try:
        yield made
    finally:
        made.stop()
        shutil.rmtree(directory, onerror=_insist)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _insist(remove: object, path: str, _error: object) -> None:
    """Delete what a command left without permissions."""
    with contextlib.suppress(OSError):
        os.chmod(Path(path).parent, 0o700)
        os.chmod(path, 0o700)
        if Path(path).is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            Path(path).unlink()

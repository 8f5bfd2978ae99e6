"""A private PostgreSQL for a test run: on loopback, in a temporary directory, as nobody special.

Knows nothing of tables; a fresh database is a copy of a template that the caller has migrated.
"""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

DEBIAN = "usr/lib/postgresql/*/bin"
"""Where Debian keeps what is not for everybody's PATH."""
START_SECONDS = 30.0
QUICK = ("fsync=off", "full_page_writes=off")
"""The machine does not lose its power in a test; a killed client or server loses nothing by these.
It would without synchronous_commit: what somebody has read could be gone after a restart."""


def programs() -> Path | None:
    """Where initdb and postgres are; None when PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).parent
    return max(Path("/").glob(DEBIAN), default=None, key=lambda path: int(path.parent.name))


@dataclass
class Cluster:
    """One server. It can be stopped and started again, as a failing one would be."""

    programs: Path
    directory: Path
    port: int = field(default_factory=lambda: _free_port())
    process: subprocess.Popen[bytes] | None = None
    settings: Sequence[str] = QUICK
    addresses: str = "127.0.0.1"
    """Where it listens."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def start(self) -> None:
        listen = f"listen_addresses={self.addresses}"
        options = (f"port={self.port}", listen, "max_connections=200", *self.settings)
        flags = [part for option in options for part in ("-c", option)]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                as_nobody(
                    self.programs / "postgres",
                    *("-D", self.directory / "data", "-k", self.directory),
                    *flags,
                ),
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError((self.directory / "log").read_text())
            time.sleep(0.05)

    def stop(self) -> None:
        """At once, with whoever is connected."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(30)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def fresh(self, template: str = "template1") -> str:
        """The address of a new database that is like *template*."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.url(name)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


@contextmanager
def running(
    network: str | None = None, *, settings: Sequence[str] = QUICK
) -> Iterator[Cluster | None]:
    """None when PostgreSQL is not installed. Others than this machine may use it from *network*."""
    found = programs()
    if found is None:
        yield None
        return
    directory = Path(tempfile.mkdtemp(prefix="journeyman-pg-"))
    if os.geteuid() == 0:
        shutil.chown(directory, "postgres", "postgres")
    cluster = Cluster(found, directory, settings=settings)
    try:
        subprocess.run(
            as_nobody(
                found / "initdb",
                *("-D", directory / "data", "-U", "postgres", "--auth=trust"),
                *("--no-sync", "--encoding=UTF8", "--locale=C"),
            ),
            check=True,
            capture_output=True,
        )
        if network is not None:
            with (directory / "data" / "pg_hba.conf").open("a") as rules:
                rules.write(f"host all all {network} trust\n")
            cluster.addresses = "*"
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        if cluster.process is not None:
            cluster.process.kill()
            cluster.process.wait(10)
        shutil.rmtree(directory, ignore_errors=True)


def as_nobody(program: Path, *arguments: str | Path) -> list[str | Path]:
    """PostgreSQL refuses to run as root. It ends with whoever started it, however that ended."""
    root = os.geteuid() == 0
    other = ["--reuid=postgres", "--regid=postgres", "--clear-groups"] if root else []
    return ["setpriv", "--pdeathsig", "INT", *other, program, *arguments]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

"""API processes and workers, each worker with a disk of its own, to which everything happens that
may happen to processes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from journeyman.service.vault import Vault
from tests import postgres
from tests.e2e.server import JOURNEYMAN, Server

HANG_SECONDS = 12.0
"""Longer than the lease: others take the runs of a worker that hangs."""
STOP_SECONDS = 40.0
Trouble = Callable[[random.Random], None]


@dataclass
class Worker:
    """`place` has its log and its disk, which stay when it is killed and another one starts."""

    place: Path
    process: subprocess.Popen[bytes]


@dataclass
class Fleet:
    servers: Sequence[Server]
    workers: list[Worker] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    _hanging: list[threading.Timer] = field(default_factory=list)

    @property
    def places(self) -> list[Path]:
        return [self.servers[0].data, *(worker.place for worker in self.workers)]

    def start(self, count: int) -> None:
        """Each with a copy of the server's key, as operators make it."""
        key = self.servers[0].data / "secrets.key"
        Vault(key).encrypt(b"")  # makes it, before any process does
        for number in range(count):
            place = key.parent.parent / f"disk{number}"
            place.mkdir()
            shutil.copy(key, place)
            self.workers.append(Worker(place, self._started(place)))

    def _started(self, place: Path) -> subprocess.Popen[bytes]:
        environ = self.servers[0].environ
        with (place / "worker.log").open("ab") as log:
            return subprocess.Popen(
                [JOURNEYMAN, "worker", "--data", place],
                env={"PATH": os.environ["PATH"], "HOME": str(place), **environ},
                stdout=log,
                stderr=log,
            )

    def troubles(self, cluster: postgres.Cluster | None) -> list[Trouble]:
        """In the order in which they come, again and again."""
        found: list[Trouble] = [
            self._hang_server,
            self._kill_worker,
            self._hang_worker,
            self._kill_server,
        ]
        return found if cluster is None else [*found, self._restarting(cluster)]

    def _kill_worker(self, chance: random.Random) -> None:
        victim = chance.choice(self.workers)
        victim.process.kill()
        victim.process.wait(10)
        self.done["kill -9 of a worker"] += 1
        victim.process = self._started(victim.place)

    def _kill_server(self, chance: random.Random) -> None:
        victim = chance.choice(self.servers)
        victim.kill()
        self.done["kill -9 of an API process"] += 1
        victim.start()

    def _hang_worker(self, chance: random.Random) -> None:
        self._hang(chance.choice(self.workers).process)
        self.done["worker stopped for longer than its lease"] += 1

    def _hang_server(self, chance: random.Random) -> None:
        process = chance.choice(self.servers).process
        assert process is not None
        self._hang(process)
        self.done["API process stopped"] += 1

    def _hang(self, process: subprocess.Popen[bytes]) -> None:
        process.send_signal(signal.SIGSTOP)
        goes_on = threading.Timer(HANG_SECONDS, process.send_signal, [signal.SIGCONT])
        goes_on.start()
        self._hanging.append(goes_on)

    def _restarting(self, cluster: postgres.Cluster) -> Trouble:
        def restart(_chance: random.Random) -> None:
            cluster.stop()
            cluster.start()
            self.done["immediate restart of PostgreSQL"] += 1

        return restart

    def wake(self) -> None:
        """Wait until nobody hangs any more."""
        for one in self._hanging:
            one.join()
        self._hanging.clear()

    def renew(self) -> None:
        """As for a new version: all workers end in order, and others take their places."""
        self.stop()
        for worker in self.workers:
            worker.process = self._started(worker.place)

    def stop(self) -> None:
        self.wake()
        for worker in self.workers:
            worker.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for worker in self.workers:
            try:
                worker.process.wait(max(1.0, deadline - time.monotonic()))
            finally:
                worker.process.kill()

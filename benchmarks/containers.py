"""The same sessions in containers, beside one exec of the engine per command."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Literal

from aiodocker import Docker

from benchmarks.report import Row, milliseconds
from journeyman.sandbox import SandboxSpec
from journeyman.sandbox.container import recipe
from journeyman.sandbox.container.backend import Containers, Options
from journeyman.sandbox.container.engine import Engine
from tests import engines

STARTS, COMMANDS, EXECS = 10, 200, 20
ENGINES: tuple[Literal["docker", "podman"], ...] = ("docker", "podman")


async def measure() -> list[Row]:
    """On engines started for this; none for one that is not installed."""
    rows: list[Row] = []
    for name in ENGINES:
        with engines.running(name) as socket:
            if socket is not None:
                rows += await _engine(name, socket)
    return rows


async def _engine(name: Literal["docker", "podman"], socket: Path) -> list[Row]:
    backend = Containers(Options(name, str(socket)))
    await backend.probe()
    starts, commands = [], []
    with tempfile.TemporaryDirectory(prefix="journeyman-bench-") as folder:
        spec = SandboxSpec("bench", Path(folder, "one"))
        for _ in range(STARTS):
            began = time.monotonic()
            box = await backend.start(spec)
            await box.exec(["true"])
            starts.append(time.monotonic() - began)
            await box.close()
        box = await backend.start(spec)
        try:
            for _ in range(COMMANDS):
                began = time.monotonic()
                await box.exec(["true"])
                commands.append(time.monotonic() - began)
            execs = await _execs(name, socket)
        finally:
            await box.close()
    return [
        Row(f"{name}: sandbox to first command", milliseconds(starts, 50, 99), f"{STARTS}"),
        Row(f"{name}: command in a sandbox", milliseconds(commands, 50, 99), f"{COMMANDS}"),
        Row(
            f"{name}: one exec per command", milliseconds(execs, 50, 99), f"{EXECS}, for comparison"
        ),
    ]


async def _execs(name: str, socket: Path) -> list[float]:
    """In the container that is there, as the engine's own clients would."""
    (container,) = await Engine(name, socket).labelled(recipe.SESSION)
    seconds = []
    async with Docker(f"unix://{socket}") as docker:
        for _ in range(EXECS):
            began = time.monotonic()
            made = await docker.containers.container(container).exec(["true"])
            async with made.start(detach=False) as stream:
                while await stream.read_out() is not None:
                    pass
            await made.inspect()
            seconds.append(time.monotonic() - began)
    return seconds

"""A service with sandboxes, to be killed: starts two, prints what it holds, sleeps."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from journeyman.sandbox import SandboxBackend, SandboxSpec
from journeyman.sandbox.bubblewrap import Bubblewrap
from journeyman.sandbox.container.backend import Containers, Options


def _backend(engine: str = "", path: str = "") -> SandboxBackend:
    if not engine:
        return Bubblewrap()
    return Containers(Options("podman" if engine == "podman" else "docker", path))


async def main(directory: Path) -> None:
    """Hold two sandboxes with something running in each."""
    backend = _backend(*sys.argv[2:])
    for name in ("one", "two"):
        box = await backend.start(SandboxSpec(name, directory / name))
        await box.exec("setsid sleep 4242 & env -i setsid -f sleep 4242")
        print(box.id, flush=True)
    await asyncio.sleep(600)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))

"""What is asked of a container engine, over its socket; its failures in our words.

Knows nothing of sessions. A connection lives as long as a question: there is nothing to close.
"""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiodocker import Docker, DockerError

from journeyman.sandbox import SandboxUnavailable

NO_CONNECTION, NOT_FOUND = 900, 404
ASK_SECONDS = 60.0
SAID_BYTES = 2000


@dataclass(frozen=True)
class Facts:
    """What an engine says of itself."""

    version: str
    api: str
    podman: bool
    runtime: str
    cgroup: str
    """The version of the host's control groups."""
    limits: frozenset[str]
    """Of memory, pids and cpu: what it can limit here."""


class Engine:
    """Docker, or Podman's compatible API, behind *socket*."""

    def __init__(self, name: str, socket: Path) -> None:
        self.name = name
        self._socket = socket
        self._api = "auto"
        self._facts: Facts | None = None

    async def facts(self) -> Facts:
        """Asked once. Raises SandboxUnavailable."""
        if self._facts is None:
            async with self._asking() as docker:
                version, info = await docker.version(), await docker.system.info()
            self._facts = _facts(version, info)
            self._api = f"v{self._facts.api}"
        return self._facts

    async def environment_of(self, image: str) -> dict[str, str]:
        """What *image* sets. Raises SandboxUnavailable when it is not there."""
        async with self._asking(image) as docker:
            found = await docker.images.inspect(image)
        pairs = (found.get("Config") or {}).get("Env") or []
        return dict(pair.split("=", 1) for pair in pairs if "=" in pair)

    async def has(self, image: str) -> bool:
        """Whether *image* is there. Raises SandboxUnavailable."""
        async with self._asking() as docker:
            try:
                await docker.images.inspect(image)
            except DockerError as error:
                if error.status != NOT_FOUND:
                    raise
                return False
        return True

    async def load(self, archive: bytes) -> None:
        """Add the image in *archive*. Raises SandboxUnavailable."""
        async with self._asking() as docker:
            await docker.images.import_image(io.BytesIO(archive))

    async def create(self, description: Mapping[str, Any]) -> str:
        """The id of a new container. Raises SandboxUnavailable."""
        async with self._asking(str(description["Image"])) as docker:
            return (await docker.containers.create(description)).id

    async def start(self, container: str) -> None:
        """Raises SandboxUnavailable."""
        async with self._asking() as docker:
            await docker.containers.container(container).start()

    async def ended(self, container: str) -> str:
        """Wait for its end; what it said. Raises SandboxUnavailable."""
        async with self._asking(seconds=None) as docker:
            asked = docker.containers.container(container)
            await asked.wait()
            said = await asked.log(stdout=True, stderr=True)
        return "".join(said)[-SAID_BYTES:].strip()

    async def delete(self, container: str) -> None:
        """End and forget it; whoever did so before is welcome. Raises SandboxUnavailable."""
        async with self._asking() as docker:
            with suppress(_Gone):
                await _forgiving(docker.containers.container(container).delete(force=True, v=True))

    async def labelled(self, label: str) -> dict[str, str]:
        """Every container with *label*: its id, and what the label says. SandboxUnavailable."""
        async with self._asking() as docker:
            found = await docker.containers.list(all=True, filters=json.dumps({"label": [label]}))
            return {one.id: one["Labels"][label] for one in found}

    @asynccontextmanager
    async def _asking(
        self, image: str = "", *, seconds: float | None = ASK_SECONDS
    ) -> AsyncIterator[Docker]:
        try:
            async with (
                Docker(f"unix://{self._socket}", api_version=self._api) as docker,
                asyncio.timeout(seconds),
            ):
                yield docker
        except DockerError as error:
            raise self._unavailable(error, image) from error
        except TimeoutError as error:
            raise SandboxUnavailable(
                f"{self.name} did not answer within {seconds:g} s", hint=self._start_hint()
            ) from error

    def _unavailable(self, error: DockerError, image: str) -> SandboxUnavailable:
        if error.status == NO_CONNECTION:
            return SandboxUnavailable(
                f"{self.name} does not answer at {self._socket}", hint=self._start_hint()
            )
        if error.status == NOT_FOUND and image:
            return SandboxUnavailable(
                f"{self.name} has no image {image!r}", hint=f"{self.name} pull {image}"
            )
        return SandboxUnavailable(f"{self.name} refuses: {error.message[:SAID_BYTES]}")

    def _start_hint(self) -> str:
        unit = "podman.socket" if self.name == "podman" else "docker"
        return f"systemctl enable --now {unit}, or name another socket in sandbox.socket"


class _Gone(Exception):
    """There is no such container any more, or somebody else is just deleting it."""


async def _forgiving(deletion: Any) -> None:
    try:
        await deletion
    except DockerError as error:
        if error.status in (NOT_FOUND, 409):
            raise _Gone from error
        raise


def _facts(version: Mapping[str, Any], info: Mapping[str, Any]) -> Facts:
    names = [str(part.get("Name", "")) for part in version.get("Components") or []]
    switches = {"memory": "MemoryLimit", "pids": "PidsLimit", "cpu": "CpuCfsQuota"}
    return Facts(
        version=str(version.get("Version", "")),
        api=str(version["ApiVersion"]),
        podman=any("Podman" in name for name in names),
        runtime=str(info.get("DefaultRuntime", "")),
        cgroup=str(info.get("CgroupVersion") or "1").removeprefix("v"),
        limits=frozenset(limit for limit, switch in switches.items() if info.get(switch)),
    )

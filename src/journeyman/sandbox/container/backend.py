"""Sessions as containers of an engine on this host, which needs the service to be root.

Knows nothing of what runs inside. Networks are the service's own, as for bubblewrap.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from journeyman.sandbox import (
    HOME,
    Guarantee,
    Probe,
    Sandbox,
    SandboxSpec,
    SandboxUnavailable,
    folders,
    guarantees,
    hints,
    inside,
    probing,
    seccomp,
)
from journeyman.sandbox.container import image, recipe
from journeyman.sandbox.container.engine import Engine, Facts
from journeyman.sandbox.container.launch import Parts, launch
from journeyman.sandbox.container.recipe import Recipe
from journeyman.sandbox.firewall import sockets
from journeyman.sandbox.firewall.dial import Resolve, Resolver
from journeyman.sandbox.folders import Account
from journeyman.sandbox.running import Care, guarded

SOCKETS = {"docker": "/run/docker.sock", "podman": "/run/podman/podman.sock"}


@dataclass(frozen=True)
class Options:
    """What an operator may set about containers."""

    engine: Literal["docker", "podman"] = "docker"
    socket: str = ""
    """Where the engine listens; empty: its usual place."""
    image: str = ""
    """Empty: the host's own system, as with bubblewrap."""
    runtime: str = ""
    """One that the engine knows, such as runsc; empty: its default."""
    uid: int = 65532
    """Host account of the containers' processes; never 0."""
    gid: int = 65532
    disk_poll_seconds: float = 5.0


class Containers:
    """A SandboxBackend on an engine."""

    def __init__(self, options: Options, resolve: Resolve | None = None) -> None:
        """*resolve*: how sessions' names become addresses; by default as this host does it."""
        self.name: str = options.engine
        self._options = options
        self._account = Account(options.uid, options.gid)
        self._engine = Engine(self.name, Path(options.socket or SOCKETS[self.name]))
        self._resolve = Resolver() if resolve is None else resolve
        self._init = inside.init_sources()
        self._enter = sockets.source()
        self._empty: str | None = None
        self._loading = asyncio.Lock()
        self._probing = probing.Probing(self.name, self.start, self._examine)

    async def probe(self) -> Probe:
        """See SandboxBackend.probe."""
        return await self._probing.probe()

    async def start(self, spec: SandboxSpec) -> Sandbox:
        """See SandboxBackend.start."""
        if os.geteuid() != 0:
            raise SandboxUnavailable(f"{self.name} needs a server that is root", hint=hints.ROOT)
        facts = await self._engine.facts()
        wanted = spec.image or self._options.image
        env = await self._engine.environment_of(wanted) if wanted else {}
        parts = Parts(self._engine, _enforced(facts), self._init, self._enter)
        chosen = await self._recipe(wanted, facts)
        contained = await launch(spec, chosen, parts)
        care = Care(self._options.disk_poll_seconds, _usual(env))
        return await guarded(spec, contained, self._account, resolve=self._resolve, care=care)

    async def remove(self, directory: Path) -> None:
        """See SandboxBackend.remove. Raises OSError when something could not be deleted."""
        await folders.remove(directory)

    async def overlays(self) -> bool:
        """See SandboxBackend.overlays."""
        return False

    async def sweep(self) -> None:
        """See SandboxBackend.sweep."""
        await probing.sweep()
        with suppress(SandboxUnavailable):
            for container, owner in (await self._engine.labelled(recipe.OWNER)).items():
                if not Path("/proc", owner).exists():
                    await self._engine.delete(container)

    async def _recipe(self, wanted: str, facts: Facts) -> Recipe:
        return Recipe(
            image=wanted or await self._empty_image(),
            foreign=bool(wanted),
            account=self._account,
            seccomp=json.dumps(seccomp.profile(platform.machine())),
            seccomp_by_path=facts.podman,
            runtime=self._options.runtime,
        )

    async def _empty_image(self) -> str:
        async with self._loading:
            if self._empty is None:
                name, archive = image.empty()
                if not await self._engine.has(name):
                    await self._engine.load(archive)
                self._empty = name
        return self._empty

    async def _examine(self, sandbox: Sandbox) -> Probe:
        facts = await self._engine.facts()
        what = self._options.image or "the host's own system"
        own = (
            Guarantee(self.name, True, f"{facts.version}, with {facts.runtime}"),
            Guarantee("image", True, what),
            Guarantee("nested namespaces", True, "refused by the filter"),
        )
        who = f"account {self._account.uid}"
        found = await guarantees.examine(sandbox, own, who=who)
        return Probe(available=True, mode=f"containers of {self.name}", guarantees=found)


def _enforced(facts: Facts) -> dict[str, str]:
    return dict.fromkeys(sorted(facts.limits), f"cgroup v{facts.cgroup}")


def _usual(env: dict[str, str]) -> dict[str, str]:
    """An image's environment, less what is ours; its programs come after the session's own."""
    kept = {name: value for name, value in env.items() if name not in inside.ENVIRONMENT}
    if "PATH" in env:
        kept["PATH"] = f"{HOME}/.local/bin:{env['PATH']}"
    return kept

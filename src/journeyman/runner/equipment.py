"""What runs work with: the same for all runs of a process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journeyman.agent.acp import External
from journeyman.domain.configuration import EnabledTools
from journeyman.domain.held import Held
from journeyman.domain.repositories import Repository
from journeyman.domain.signature import log_url
from journeyman.forge import Forge
from journeyman.llm import Endpoint, Models
from journeyman.runner.ledger import Ledger
from journeyman.sandbox import Limits, Network, Outside, Provision, SandboxBackend
from journeyman.workspace.bases import Bases
from journeyman.workspace.mirror import Mirrors
from journeyman.workspace.publish import Publisher


@dataclass(frozen=True)
class Exposed:
    """A repository's secrets and variables, as its sessions get them."""

    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For every command."""
    masked: frozenset[str] = field(default_factory=frozenset, repr=False)
    """What no log may show."""
    mcp: Mapping[str, str] = field(default_factory=dict, repr=False)
    """For MCP servers alone, where their configuration names it."""


@dataclass(frozen=True)
class Checks:
    """What is looked at before work is delivered."""

    tools: EnabledTools = field(default_factory=EnabledTools)
    """As the repository's administrators have set them."""
    review_model: str = ""
    """Empty: nothing is reviewed."""
    block_secrets: bool = True
    """Whether what looks like a secret is kept from the forge, or only reported."""
    advisories: Path | None = None
    """Holds advisories in the OSV format; None: packages are not looked up."""


async def _usual_checks(repository: Repository) -> Checks:
    return Checks()


async def _kept(_unused_since: float | None) -> None:
    return


def _not_served(model_id: str) -> Endpoint:
    raise ValueError(f"{model_id} is not served to agents of others here")


async def _nothing(repository: Repository) -> Exposed:
    return Exposed()


async def _no_servers(repository: Repository) -> Mapping[str, Any] | None:
    return None


def _closed(network: Network) -> Outside:
    raise ValueError("nothing outside can be reached here")


@dataclass(frozen=True)
class Equipment:
    ledger: Ledger
    forge: Forge
    mirrors: Mirrors
    bases: Bases
    publisher: Publisher
    sandboxes: SandboxBackend
    limits: Limits
    models: Models
    workspaces: Path
    """Holds a directory per session."""
    public_url: str
    provision: Callable[[Repository], Awaitable[Provision]]
    """What a repository's sessions get beside it: their networks, how to fetch packages."""

    sweep_caches: Callable[[float | None], Awaitable[None]] = _kept
    """Removes the caches of package managers that nobody has used since then (Unix seconds)."""
    exposed: Callable[[Repository], Awaitable[Exposed]] = _nothing
    """The secrets and variables of a repository."""
    mcp: Callable[[Repository], Awaitable[Mapping[str, Any] | None]] = _no_servers
    """The MCP configuration in a repository's settings."""
    outside: Callable[[Network], Outside] = _closed
    """What the service itself may reach for a session. Raises ValueError when a rule is wrong."""
    checks: Callable[[Repository], Awaitable[Checks]] = _usual_checks

    externals: Mapping[str, External] = field(default_factory=dict)
    """Agents of others, by name."""
    instructions: Path | None = None
    """The operator's, for the agents of every repository."""
    endpoint: Callable[[str], Endpoint] = _not_served
    """The model with that id for a program that gets no key. Raises ValueError."""

    def workspace(self, session_id: str) -> Path:
        return self.workspaces / session_id

    def clone_url(self, held: Held) -> str:
        """What people clone from."""
        return f"{self.forge.url or self.public_url}/{held.repository.full_name}.git"

    def log_url(self, held: Held) -> str:
        return log_url(self.public_url, held.repository.full_name, held.session.task_id)

"""What every session of a host is given: its network rules, and how to fetch packages there.

Knows nothing of how a sandbox is made of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from journeyman.sandbox import Network, Provision, packages
from journeyman.sandbox.firewall import allowlist
from journeyman.sandbox.packages import Packages

EVERYWHERE = ("*:*",)

Find = Callable[[], Awaitable[Packages]]


@dataclass(frozen=True)
class Options:
    """What an operator may say about the network of sessions."""

    enabled: bool = True
    """False: every public host may be reached."""
    recommended: bool = True
    """Whether the package indexes of this host may be reached."""
    allow: tuple[str, ...] = ()
    setup_allow: tuple[str, ...] = ()
    """More hosts for a repository's setup steps alone."""
    mcp_allow: tuple[str, ...] = ()
    """More hosts for MCP servers alone."""
    allowed_networks: tuple[str, ...] = ()
    repositories: bool = True
    """Whether a repository's wishes count."""


@dataclass(frozen=True)
class Wishes:
    """What a repository's administrators say of its sessions' network. The defaults add nothing."""

    enabled: bool = True
    recommended: bool = True
    entries: tuple[str, ...] = ()
    """As GitHub's settings write them: hosts, which mean what is below them too, and URLs."""


class Provisions:
    """Asks this host once, when the first session needs it."""

    def __init__(self, options: Options, find: Find = packages.find) -> None:
        self._options = options
        self._find = find
        self._packages: Packages | None = None
        self._asking = asyncio.Lock()

    async def provision(self, wishes: Wishes | None = None) -> Provision:
        """For one session of a repository with *wishes*."""
        async with self._asking:
            if self._packages is None:
                self._packages = await self._find()
        found, options = self._packages, self._options
        if wishes is None or not options.repositories:
            wishes = Wishes()
        entries, wrong = allowlist.translated(wishes.entries)
        recommended = found.hosts if options.recommended and wishes.recommended else ()
        allow = (*recommended, *options.allow, *entries)
        open_ = not (options.enabled and wishes.enabled)

        def network(*more: str) -> Network:
            rules = EVERYWHERE if open_ else tuple(dict.fromkeys((*allow, *more)))
            return Network(rules, options.allowed_networks)

        return Provision(
            network(),
            found.env,
            found.files,
            found.folders,
            setup=network(*options.setup_allow),
            mcp=network(*options.mcp_allow),
            mcp_by_address=options.repositories,
            ignored=wrong,
        )

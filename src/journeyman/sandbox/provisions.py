"""What every session of a host is given: its network rules, and how to fetch packages there.

Knows nothing of how a sandbox is made of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from journeyman.sandbox import Network, Provision, packages
from journeyman.sandbox.packages import Packages

EVERYWHERE = ("*:*",)


@dataclass(frozen=True)
class Options:
    """What an operator may say about the network of sessions."""

    enabled: bool = True
    """False: every public host may be reached."""
    recommended: bool = True
    """Whether the package indexes of this host may be reached."""
    allow: tuple[str, ...] = ()
    allowed_networks: tuple[str, ...] = ()


class Provisions:
    """Asks this host once, when the first session needs it."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._packages: Packages | None = None
        self._asking = asyncio.Lock()

    async def provision(self, rules: Sequence[str] = ()) -> Provision:
        """For one session; *rules*: what its repository allows beside."""
        async with self._asking:
            if self._packages is None:
                self._packages = await packages.find()
        found, options = self._packages, self._options
        recommended = found.hosts if options.recommended else ()
        allow = (*recommended, *options.allow, *rules) if options.enabled else EVERYWHERE
        network = Network(tuple(dict.fromkeys(allow)), options.allowed_networks)
        return Provision(network, found.env, found.files, found.folders)

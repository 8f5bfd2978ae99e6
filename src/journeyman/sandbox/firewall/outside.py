"""Where the service itself may connect to for a session, under the rules of its network.

Knows nothing of what is said there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from journeyman.sandbox import Blocked, Network, Unreachable
from journeyman.sandbox.firewall import addresses, rules
from journeyman.sandbox.firewall.dial import Refused, Resolve, reachable
from journeyman.sandbox.firewall.gate import UNLISTED

METHOD = "TCP"


class Ways:
    """An Outside."""

    def __init__(self, network: Network, resolve: Resolve) -> None:
        """Raises ValueError, which names the rule or the network that is wrong."""
        self._rules = rules.Rules(network.allow)
        self._allowed = addresses.ranges(network.allowed_networks)
        self._resolve = resolve
        self._blocked: dict[Blocked, int] = {}

    async def addresses(self, host: str, port: int) -> Sequence[str]:
        """See Outside.addresses."""
        try:
            name = rules.normal(host)
            if not self._rules.allows(name, port):
                raise Refused(UNLISTED)
            return await reachable(name, port, resolve=self._resolve, allowed=self._allowed)
        except (Refused, ValueError) as refused:
            reason = str(refused) if str(refused) == UNLISTED else f"is refused: {refused}"
            one = Blocked(host, port, METHOD, reason)
            self._blocked[one] = self._blocked.get(one, 0) + 1
            raise Unreachable(f"{host} {reason}") from refused

    def blocked(self) -> tuple[Blocked, ...]:
        """See Outside.blocked."""
        return tuple(replace(one, count=count) for one, count in self._blocked.items())

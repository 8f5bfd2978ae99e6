"""What every way out asks first: may this host be reached, and from whom is the question.

Knows nothing of HTTP or of DNS.
"""

from __future__ import annotations

from journeyman.sandbox import Blocked, Network
from journeyman.sandbox.firewall import addresses
from journeyman.sandbox.firewall.attempts import Attempts, Peer
from journeyman.sandbox.firewall.dial import Connection, Refused, Resolve, dial
from journeyman.sandbox.firewall.rules import Rules

UNLISTED = "is not on the allowlist"


class Gate:
    """The rules of one session, which may change while it runs."""

    def __init__(self, network: Network, resolve: Resolve, attempts: Attempts) -> None:
        """Raises ValueError, which names the rule or the network that is wrong."""
        self._resolve = resolve
        self.attempts = attempts
        self.change(network)

    def change(self, network: Network) -> None:
        """Other rules from now on. Raises ValueError and keeps the old ones."""
        rules, allowed = Rules(network.allow), addresses.ranges(network.allowed_networks)
        self.rules, self._allowed = rules, allowed

    async def reach(self, host: str, port: int, *, method: str, peer: Peer) -> Connection:
        """A connection to *host*, in its normal form.

        Raises Refused, once the attempt is noted; OSError when nobody answers.
        """
        if not self.rules.allows(host, port):
            await self.note(host, port, method, UNLISTED, peer)
            raise Refused(UNLISTED)
        try:
            return await dial(host, port, resolve=self._resolve, allowed=self._allowed)
        except Refused as refused:
            reason = f"is refused: {refused}"
            await self.note(host, port, method, reason, peer)
            raise Refused(reason) from refused

    async def note(self, host: str, port: int, method: str, reason: str, peer: Peer) -> None:
        """Count a refused attempt."""
        await self.attempts.add(Blocked(host, port, method, reason), peer)

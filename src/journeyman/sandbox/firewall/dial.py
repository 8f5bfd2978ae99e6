"""From a name to a connection: resolved once, checked, and connected to what was checked.

Knows nothing of rules about names, or of who asks.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from journeyman.sandbox.firewall import addresses
from journeyman.sandbox.firewall.addresses import Range

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, as text. Raises OSError."""
Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]

RESOLVE_SECONDS = 10.0
CONNECT_SECONDS = 10.0
ATTEMPTS = 4
THREADS = 8
BUFFER_BYTES = 1 << 17


class Refused(Exception):
    """No connection may be made; the text says why."""


class Resolver:
    """The host's own resolver, on threads of its own: a slow zone must not hold up anything."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, "resolve")

    async def __call__(self, host: str, port: int) -> list[str]:
        """See Resolve."""
        loop = asyncio.get_running_loop()
        found = await loop.run_in_executor(self._threads, _addresses, host, port)
        return list(dict.fromkeys(found))


async def dial(host: str, port: int, *, resolve: Resolve, allowed: Sequence[Range]) -> Connection:
    """A connection to *host*. Raises Refused; OSError, TimeoutError included, when none answers."""
    failure = OSError(f"{host} has no address")
    for address in await reachable(host, port, resolve=resolve, allowed=allowed):
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                return await asyncio.open_connection(address, port, limit=BUFFER_BYTES)
        except OSError as error:
            failure = error
    raise failure


async def reachable(
    host: str, port: int, *, resolve: Resolve, allowed: Sequence[Range]
) -> list[str]:
    """The first addresses of *host* that may be connected to.

    Raises Refused when it has addresses but none such; OSError when it cannot be resolved.
    """
    async with asyncio.timeout(RESOLVE_SECONDS):
        found = await resolve(host, port)
    reasons = {address: addresses.refusal(address, allowed) for address in found}
    open_ones = [address for address, reason in reasons.items() if reason is None]
    if found and not open_ones:
        raise Refused(str(reasons[found[0]]))
    return open_ones[:ATTEMPTS]


def _addresses(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP)
    return [str(entry[4][0]) for entry in found]

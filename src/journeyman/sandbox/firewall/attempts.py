"""What a session was refused: each kind once, with a count, and the command that tried.

Knows nothing of rules or protocols.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from journeyman.sandbox import Blocked

MOST = 200
"""Kinds that are told apart; what comes after them is refused all the same."""
TRACES, TRACES_PER_SECOND = 40.0, 20.0
"""How many attempts are traced to their commands, at once and on: it costs process 1 time."""
ASK_SECONDS = 1.0
COMMAND_CHARACTERS = 200


@dataclass(frozen=True)
class Owner:
    """Who holds a socket inside."""

    number: int | None
    """Of the command, as process 1 counts them."""
    command: str


class Peer(NamedTuple):
    """The end of a socket that lies inside."""

    protocol: str
    """tcp or udp."""
    port: int
    server_port: int
    """Ours, to which it is connected."""


Who = Callable[[Peer], Awaitable[Owner | None]]
NOBODY = Owner(None, "")


class Attempts:
    """The refused attempts of one session."""

    def __init__(self, who: Who) -> None:
        self._who = who
        self._found: dict[tuple[int | None, str, int, str], Blocked] = {}
        self._traced: dict[tuple[str, int, str], Owner] = {}
        self._budget, self._budget_at = TRACES, time.monotonic()

    async def add(self, attempt: Blocked, peer: Peer) -> None:
        """Count *attempt*; returns when it is known whose it was: the asker may end right after."""
        owner = await self._trace(attempt, peer)
        key = (owner.number, attempt.host, attempt.port, attempt.method)
        known = self._found.get(key)
        if known is not None:
            self._found[key] = replace(known, count=known.count + 1)
        elif len(self._found) < MOST:
            self._found[key] = replace(attempt, command=owner.command)

    def all(self) -> tuple[Blocked, ...]:
        """Everything so far, in the order of the first attempts; alike ones are added up."""
        sums: dict[Blocked, int] = {}
        for one in self._found.values():
            kind = replace(one, count=1)
            sums[kind] = sums.get(kind, 0) + one.count
        return tuple(replace(kind, count=count) for kind, count in sums.items())

    def of(self, number: int) -> tuple[Blocked, ...]:
        """What command *number* was refused."""
        return tuple(one for key, one in self._found.items() if key[0] == number)

    async def _trace(self, attempt: Blocked, peer: Peer) -> Owner:
        kind = (attempt.host, attempt.port, attempt.method)
        owner = self._traced.get(kind, NOBODY)
        if not self._affordable():
            return owner
        try:
            async with asyncio.timeout(ASK_SECONDS):
                owner = await self._who(peer) or owner
        except TimeoutError:
            return owner
        if len(self._traced) < MOST:
            self._traced[kind] = owner
        return owner

    def _affordable(self) -> bool:
        now = time.monotonic()
        earned = (now - self._budget_at) * TRACES_PER_SECOND
        self._budget, self._budget_at = min(TRACES, self._budget + earned), now
        if self._budget < 1:
            return False
        self._budget -= 1
        return True

"""What the firewall refused a session's commands: as events of its log, and read back from it.

Knows nothing of sandboxes but what they tell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from journeyman.domain.events import Event, EventType, NewEvent
from journeyman.sandbox import Blocked, Network


class Refusals:
    """Of one session, over all its runs."""

    def __init__(self, log: Iterable[Event]) -> None:
        self._all: dict[Blocked, int] = {}
        self._of_this_run: dict[Blocked, int] = {}
        for event in log:
            if event.type is EventType.FIREWALL_BLOCKED:
                one = _read(event)
                kind = replace(one, count=1)
                self._all[kind] = self._all.get(kind, 0) + one.count

    def all(self) -> tuple[Blocked, ...]:
        """Each kind once, with its count."""
        return tuple(replace(kind, count=count) for kind, count in self._all.items())

    def news(self, told: Iterable[Blocked]) -> list[NewEvent]:
        """Events for what is new in *told*, which is everything since this run began."""
        events, whole = [], Counter[Blocked]()
        for one in told:
            whole[replace(one, count=1)] += one.count
        for kind, known in whole.items():
            count = known - self._of_this_run.get(kind, 0)
            if count > 0:
                self._of_this_run[kind] = known
                self._all[kind] = self._all.get(kind, 0) + count
                events.append(_event(replace(kind, count=count)))
        return events


def told(network: Network | None) -> str:
    """What the agent is told of its network."""
    if network is None:
        return "There is no network."
    if "*:*" in network.allow:
        return "The network reaches public hosts only."
    return (
        "The network reaches a few hosts only, such as the package indexes of this machine; a "
        "command that asks for another is refused, and its result says so."
    )


def by_place(blocked: Iterable[Blocked]) -> dict[str, list[Blocked]]:
    """Attempts by the host and port that they were for."""
    places: dict[str, list[Blocked]] = {}
    for one in blocked:
        places.setdefault(f"{one.host}:{one.port}" if one.port else one.host, []).append(one)
    return places


def _event(one: Blocked) -> NewEvent:
    return NewEvent(
        EventType.FIREWALL_BLOCKED,
        {
            "host": one.host,
            "port": one.port,
            "method": one.method,
            "reason": one.reason,
            "command": one.command,
            "count": one.count,
        },
    )


def _read(event: Event) -> Blocked:
    data = event.data
    return Blocked(
        data["host"],
        data["port"],
        data["method"],
        data["reason"],
        data["command"],
        data["count"],
    )

"""Which versions of packages have a known fault, as https://ossf.github.io/osv-schema/ says that
they are matched. Knows nothing of manifests but what a package is."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from packaging.version import Version

from journeyman.runner import osv
from journeyman.runner.manifests import Package
from journeyman.runner.osv import Advisory, Affected, Event, Named, Range

VERSIONS = 50
"""Of one package that are looked at: comparing takes time, and who wrote them is not trusted."""
SUMMARY_CHARS = 200

_SEMVER = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?", re.ASCII
)


@dataclass(frozen=True)
class Finding:
    package: Package
    advisory: str
    summary: str
    fixed: str | None
    """The next version without it; None: none is known."""
    names: frozenset[str] = frozenset()
    """All that it is known as."""


@dataclass
class Search:
    findings: Sequence[Finding] = ()
    covered: set[str] = field(default_factory=set)
    """The ecosystems that there are advisories of."""
    left_out: int = 0
    """Packages that were not looked up: further versions of one that has many."""
    unread: int = 0
    """Files that are no advisories, are broken, or name versions that cannot be compared."""


def find(folder: Path, packages: Sequence[Package]) -> Search:
    """What *folder* knows of *packages*; one that has several names is told once."""
    wanted = dict[Named, list[str]]()
    for one in packages:
        versions = wanted.setdefault((one.ecosystem, one.name), [])
        if len(versions) < VERSIONS:
            versions.append(one.version)
    known, found = osv.read(folder, wanted), list[Finding]()
    search = Search(covered=known.covered, unread=known.unread)
    search.left_out = len(packages) - sum(map(len, wanted.values()))
    for advisory in known.advisories:
        try:
            found += _found(advisory, wanted)
        except ValueError:
            search.unread += 1
    search.findings = _once(found)
    return search


def _found(advisory: Advisory, wanted: Mapping[Named, Sequence[str]]) -> list[Finding]:
    if advisory.withdrawn is not None:
        return []
    found = list[Finding]()
    names = frozenset([advisory.id, *(advisory.aliases or ())])
    for (ecosystem, name), affected in osv.about(advisory):
        order = Version if ecosystem == "PyPI" else _semver
        for version in wanted.get((ecosystem, name), ()):
            if _affects(affected, version, order):
                package, fixed = Package(ecosystem, name, version), _fixed(affected, version, order)
                found.append(Finding(package, advisory.id, _summary(advisory), fixed, names))
    return found


def _affects(affected: Affected, version: str, order: Callable[[str], Any]) -> bool:
    versions, at = affected.versions or (), _parsed(version, order)
    if version in versions:
        return True
    if at is None:
        return False
    return any(at == _parsed(one, order) for one in versions) or any(
        _within(at, one.events or (), order) for one in _comparable(affected)
    )


def _within(at: Any, events: Sequence[Event], order: Callable[[str], Any]) -> bool:
    """The schema's own algorithm: the last event at or before a version decides."""
    limits = [event.limit for event in events if event.limit is not None]
    if limits and not any(limit == "*" or at < order(limit) for limit in limits):
        return False
    inside = False
    turns = [event for event in events if event.limit is None]
    for event in sorted(turns, key=lambda event: (event.version != "0", order(event.version))):
        if event.introduced is not None:
            inside = inside or event.introduced == "0" or at >= order(event.introduced)
        elif event.fixed is not None:
            inside = inside and at < order(event.fixed)
        elif event.last_affected is not None:
            inside = inside and at <= order(event.last_affected)
    return inside


def _fixed(affected: Affected, version: str, order: Callable[[str], Any]) -> str | None:
    at = _parsed(version, order)
    events = (event for one in _comparable(affected) for event in one.events or ())
    later = [one.fixed for one in events if one.fixed is not None]
    return min((one for one in later if at is None or order(one) > at), key=order, default=None)


def _comparable(affected: Affected) -> list[Range]:
    return [one for one in affected.ranges or () if one.type in ("ECOSYSTEM", "SEMVER")]


def _parsed(version: str, order: Callable[[str], Any]) -> Any:
    """None for what is no version."""
    try:
        return order(version)
    except ValueError:
        return None


def _semver(version: str) -> tuple[Any, ...]:
    """What https://semver.org/#spec-item-11 compares. Raises ValueError."""
    match = _SEMVER.fullmatch(version)
    if match is None:
        raise ValueError(f"{version!r} is no semantic version")
    *numbers, before = match.groups()
    parts = before.split(".") if before else ()
    identifiers = tuple((0, int(one), "") if one.isdecimal() else (1, 0, one) for one in parts)
    return (*(int(number or 0) for number in numbers), before is None, identifiers)


def _summary(advisory: Advisory) -> str:
    said = " ".join((advisory.summary or advisory.details or "").split())
    return said if len(said) <= SUMMARY_CHARS else said[: SUMMARY_CHARS - 1] + "…"


def _once(found: Sequence[Finding]) -> list[Finding]:
    """Sorted; of those that are one by their other names, one that knows a fixed version."""
    told, seen = list[Finding](), set[tuple[Package, str]]()
    for one in sorted(found, key=lambda one: (one.package, one.fixed is None, one.advisory)):
        names = {(one.package, name) for name in one.names}
        if not names & seen:
            told.append(one)
        seen |= names
    return told

"""Known advisories of packages, from a folder of files in the OSV format.

The format and how versions are matched: https://ossf.github.io/osv-schema/. The files are those
that osv.dev publishes by ecosystem (https://google.github.io/osv.dev/data/#data-dumps), as they
come: `all.zip`, or a JSON file for each advisory. They are read anew each time, so that the
operator replaces them when they like. Knows nothing of manifests but what a package is.
"""

from __future__ import annotations

import lzma
import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from packaging.utils import canonicalize_name
from packaging.version import Version

from journeyman.runner.manifests import Package

ECOSYSTEMS = frozenset({"PyPI", "npm", "Go", "crates.io"})
FILE_BYTES = 16 << 20
"""A larger advisory is not read."""
VERSIONS = 50
"""Of one package that are looked at: comparing takes time, and who wrote them is not trusted."""
SUMMARY_CHARS = 200

_SEMVER = re.compile(
    r"v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]*)?", re.ASCII
)


class _Event(msgspec.Struct):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None

    @property
    def version(self) -> str:
        return self.introduced or self.fixed or self.last_affected or self.limit or "0"


class _Range(msgspec.Struct):
    type: str = ""
    events: list[_Event] | None = None


class _Name(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class _Affected(msgspec.Struct):
    package: _Name | None = None
    ranges: list[_Range] | None = None
    versions: list[str] | None = None


class _Advisory(msgspec.Struct):
    id: str
    summary: str | None = None
    details: str | None = None
    aliases: list[str] | None = None
    withdrawn: str | None = None
    affected: list[_Affected] | None = None


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
    wanted = dict[tuple[str, str], list[str]]()
    for one in packages:
        versions = wanted.setdefault((one.ecosystem, one.name), [])
        if len(versions) < VERSIONS:
            versions.append(one.version)
    search, found = Search(), list[Finding]()
    search.left_out = len(packages) - sum(map(len, wanted.values()))
    decoder = msgspec.json.Decoder(_Advisory)
    for content in _files(folder, {one.ecosystem for one in packages}):
        try:
            if content is None:
                raise ValueError("not readable")
            found += _found(decoder.decode(content), wanted, search.covered)
        except (ValueError, RecursionError):  # msgspec.DecodeError is a ValueError
            search.unread += 1
    search.findings = _once(found)
    return search


def _files(folder: Path, ecosystems: set[str]) -> Iterator[bytes | None]:
    """Each advisory, None for what cannot be read; not those in the folder of another ecosystem."""
    others = ECOSYSTEMS - ecosystems
    try:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
    except OSError:
        yield None
        return
    for path in paths:
        if others.intersection(path.relative_to(folder).parts):
            continue
        try:
            if path.suffix == ".json":
                yield path.read_bytes() if path.stat().st_size <= FILE_BYTES else None
            elif path.suffix == ".zip":
                yield from _zipped(path)
        except (OSError, zipfile.BadZipFile):
            yield None


def _zipped(path: Path) -> Iterator[bytes | None]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if not member.filename.endswith(".json"):
                continue
            try:  # zipfile reads no more than the size it is told
                yield archive.read(member) if member.file_size <= FILE_BYTES else None
            except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError):
                yield None  # broken; encrypted or of an unknown method


def _found(
    advisory: _Advisory, wanted: Mapping[tuple[str, str], Sequence[str]], covered: set[str]
) -> list[Finding]:
    found = list[Finding]()
    names = frozenset([advisory.id, *(advisory.aliases or ())])
    for affected in advisory.affected or ():
        if affected.package is None:
            continue
        ecosystem, name = affected.package.ecosystem.partition(":")[0], affected.package.name
        covered.add(ecosystem)
        name = canonicalize_name(name) if ecosystem == "PyPI" else name
        order = Version if ecosystem == "PyPI" else _semver
        if advisory.withdrawn is not None:
            continue
        for version in wanted.get((ecosystem, name), ()):
            if _affects(affected, version, order):
                package, fixed = Package(ecosystem, name, version), _fixed(affected, version, order)
                found.append(Finding(package, advisory.id, _summary(advisory), fixed, names))
    return found


def _affects(affected: _Affected, version: str, order: Callable[[str], Any]) -> bool:
    versions, at = affected.versions or (), _parsed(version, order)
    if version in versions:
        return True
    if at is None:
        return False
    return any(at == _parsed(one, order) for one in versions) or any(
        _within(at, one.events or (), order) for one in _comparable(affected)
    )


def _within(at: Any, events: Sequence[_Event], order: Callable[[str], Any]) -> bool:
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


def _fixed(affected: _Affected, version: str, order: Callable[[str], Any]) -> str | None:
    at = _parsed(version, order)
    events = (event for one in _comparable(affected) for event in one.events or ())
    later = [one.fixed for one in events if one.fixed is not None]
    return min((one for one in later if at is None or order(one) > at), key=order, default=None)


def _comparable(affected: _Affected) -> list[_Range]:
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


def _summary(advisory: _Advisory) -> str:
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

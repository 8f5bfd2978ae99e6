"""Advisories as a folder keeps them, in the OSV format (https://ossf.github.io/osv-schema/).

The files are those that osv.dev publishes by ecosystem
(https://google.github.io/osv.dev/data/#data-dumps), as they come: `all.zip`, or a JSON file for
each advisory. What an archive is about is kept in memory for as long as the file is the same, and
in it only what is wanted is read again: the operator replaces files when they like.
"""

from __future__ import annotations

import lzma
import zipfile
import zlib
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import msgspec
from packaging.utils import canonicalize_name

ECOSYSTEMS = frozenset({"PyPI", "npm", "Go", "crates.io"})
FILE_BYTES = 16 << 20
"""A larger advisory is not read."""
ARCHIVES = 8
"""That are known at once."""

Named = tuple[str, str]
"""A package's ecosystem and name; Python's are normalised."""


class Event(msgspec.Struct):
    introduced: str | None = None
    fixed: str | None = None
    last_affected: str | None = None
    limit: str | None = None

    @property
    def version(self) -> str:
        return self.introduced or self.fixed or self.last_affected or self.limit or "0"


class Range(msgspec.Struct):
    type: str = ""
    events: list[Event] | None = None


class Name(msgspec.Struct):
    ecosystem: str = ""
    name: str = ""


class Affected(msgspec.Struct):
    package: Name | None = None
    ranges: list[Range] | None = None
    versions: list[str] | None = None


class Advisory(msgspec.Struct):
    id: str
    summary: str | None = None
    details: str | None = None
    aliases: list[str] | None = None
    withdrawn: str | None = None
    affected: list[Affected] | None = None


_DECODER = msgspec.json.Decoder(Advisory)


def about(advisory: Advisory) -> Iterator[tuple[Named, Affected]]:
    """The packages that it names."""
    for affected in advisory.affected or ():
        if affected.package is not None:
            ecosystem, name = affected.package.ecosystem.partition(":")[0], affected.package.name
            yield (ecosystem, canonicalize_name(name) if ecosystem == "PyPI" else name), affected


@dataclass
class Read:
    """What a folder has on some packages."""

    advisories: list[Advisory] = field(default_factory=list)
    covered: set[str] = field(default_factory=set)
    """The ecosystems that there are advisories of."""
    unread: int = 0
    """Files that are no advisories, or are broken."""


def read(folder: Path, wanted: Collection[Named]) -> Read:
    """All that name one of *wanted*; files in the folder of an ecosystem without one are not
    looked at."""
    made = Read()
    try:
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
    except OSError:
        made.unread += 1
        return made
    others = ECOSYSTEMS - {ecosystem for ecosystem, _ in wanted}
    for path in paths:
        if others.intersection(path.relative_to(folder).parts):
            continue
        try:
            if path.suffix == ".json":
                _single(path, wanted, made)
            elif path.suffix == ".zip":
                _archived(path, wanted, made)
        except (OSError, zipfile.BadZipFile):
            made.unread += 1
    return made


def _single(path: Path, wanted: Collection[Named], made: Read) -> None:
    advisory = _decoded(path.read_bytes() if path.stat().st_size <= FILE_BYTES else None)
    if advisory is None:
        made.unread += 1
        return
    names = [name for name, _ in about(advisory)]
    made.covered.update(ecosystem for ecosystem, _ in names)
    if any(name in wanted for name in names):
        made.advisories.append(advisory)


def _archived(path: Path, wanted: Collection[Named], made: Read) -> None:
    while True:
        stamp = _stamp(path)
        index = _index(path, stamp)
        numbers = index.naming(wanted)
        found = [_decoded(content) for _, content in _members(path, numbers)] if numbers else []
        if _stamp(path) == stamp:
            break
    made.covered |= index.ecosystems
    made.unread += index.unread + found.count(None)
    made.advisories += [advisory for advisory in found if advisory is not None]


@dataclass(frozen=True)
class _Index:
    """Which members of an archive name which packages: 16 bytes for each."""

    names: array[int]
    """Their hashes, sorted."""
    members: array[int]
    """The number of the member, for each of *names*."""
    ecosystems: frozenset[str]
    unread: int

    def naming(self, wanted: Collection[Named]) -> set[int]:
        """The members that may name one of *wanted*."""
        found = set[int]()
        for name in map(hash, wanted):
            start, end = bisect_left(self.names, name), bisect_right(self.names, name)
            found.update(self.members[start:end])
        return found


@lru_cache(maxsize=ARCHIVES)
def _index(path: Path, _stamp: tuple[int, int]) -> _Index:
    """Takes seconds for an archive of hundreds of thousands."""
    pairs, ecosystems, unread = list[tuple[int, int]](), set[str](), 0
    for number, content in _members(path):
        advisory = _decoded(content)
        if advisory is None:
            unread += 1
            continue
        for name, _ in about(advisory):
            pairs.append((hash(name), number))
            ecosystems.add(name[0])
    pairs.sort()
    names, members = array("q", (name for name, _ in pairs)), array("q", (n for _, n in pairs))
    return _Index(names, members, frozenset(ecosystems), unread)


def _stamp(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _members(path: Path, only: Collection[int] | None = None) -> Iterator[tuple[int, bytes | None]]:
    """The JSON files of an archive by their number, None for what cannot be read."""
    with zipfile.ZipFile(path) as archive:
        for number, member in enumerate(archive.infolist()):
            if not member.filename.endswith(".json") or (only is not None and number not in only):
                continue
            try:  # zipfile reads no more than the size it is told
                content = archive.read(member) if member.file_size <= FILE_BYTES else None
            except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, RuntimeError):
                content = None  # broken; encrypted or of an unknown method
            yield number, content


def _decoded(content: bytes | None) -> Advisory | None:
    try:
        return None if content is None else _DECODER.decode(content)
    except (ValueError, RecursionError):  # msgspec.DecodeError is a ValueError
        return None

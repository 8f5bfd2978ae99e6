"""Which released packages a change adds, by its lock files and pinned requirements.

The files are hostile: every reader takes time linear in their size, which who reads them has
bounded. Lock files in TOML and YAML are read by their lines, as the tools write them: parsers of
these take quadratic time, or more, for some inputs. Knows nothing of git and of advisories.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from packaging.utils import canonicalize_name

from journeyman.workspace import FileChange

MOST = 20_000
"""Packages of one file; one with more is said not to be read."""

_Pairs = Iterator[tuple[str, str]]
_NAME = re.compile(r"[@A-Za-z0-9._/~-]{1,300}")
_VERSION = re.compile(r"[A-Za-z0-9.+!_-]{1,100}")
_PINNED = re.compile(
    r"^[ \t]*+([A-Za-z0-9][A-Za-z0-9._-]*+)[ \t]*+(?:\[[^\]\n]*+\])?+[ \t]*+"
    r"={2,3}[ \t]*+([^\s;,#\\*]++)(?![*])",
    re.MULTILINE,
)
_VALUE = re.compile(r'^(name|version) = "([^"\n]*)"', re.MULTILINE)
_REGISTRY = re.compile(r'^source = (?:"(?:registry|sparse)\+|\{ registry = )', re.MULTILINE)
_ELSEWHERE = re.compile(r'^\[package\.source\]\ntype = "(?!legacy")', re.MULTILINE)
_NOT_OF_INDEX = re.compile(r"^(?:git|path|url) = ", re.MULTILINE)
_YARN_KEY = re.compile(r'"?(?:@?[^@\s",]++@npm:(?=@?[^@\s",]++@))?+(@?[^@\s",]++)@([^\s",]*+)')
_YARN_VERSION = re.compile(r'  version "([^"\s]++)"')
_YARN_RESOLVED = re.compile(r'  resolution: "(@?[^@\s"]++)@npm:([^@:\s"]++)(?:::[^"]*+)?"')
_FROM_ELSEWHERE = re.compile(r"(?:git|file:|link:|https?:|[^:@/\s]++/)")
_PNPM = re.compile(
    r"  '?/?((?:@[^@/\s']++/)?[^@/\s'(]++)[@/](\d[^(_:'\s]*+)(?:[(_][^\n':]*+)?+'?:(?: \{.*)?"
)
_SUM = re.compile(r"^(\S++) v(\S++) h1:", re.MULTILINE)


@dataclass(frozen=True, order=True)
class Package:
    """*ecosystem* and *name* as OSV writes them; Python's names are normalised (PEP 503)."""

    ecosystem: str
    name: str
    version: str


def added(changes: Sequence[FileChange]) -> tuple[Mapping[Package, str], Sequence[str]]:
    """What is there after the change and was not before, each with a file that has it; and the
    files that could not be read."""
    before, after = set[Package](), dict[Package, str]()
    unread = list[str]()
    for change in changes:
        try:
            before |= _packages(change.path, change.before)
            after |= dict.fromkeys(_packages(change.path, change.after), change.path)
        except (ValueError, RecursionError):
            unread.append(change.path)
    return {one: path for one, path in sorted(after.items()) if one not in before}, unread


def _packages(path: str, content: bytes | None) -> set[Package]:
    """Raises ValueError or RecursionError for what is not in the file's format."""
    if content is None:
        raise ValueError("too large")
    if not content:
        return set()
    ecosystem, read = _READERS.get(PurePosixPath(path).name, ("PyPI", _requirements))
    found = set[Package]()
    for name, version in read(content.decode("utf-8-sig", "replace").replace("\r\n", "\n")):
        if _NAME.fullmatch(name) and _VERSION.fullmatch(version):
            name = canonicalize_name(name) if ecosystem == "PyPI" else name
            found.add(Package(ecosystem, name, version))
        if len(found) > MOST:
            raise ValueError("too many packages")
    return found


def _requirements(text: str) -> _Pairs:
    """pip's requirements files: `name[extra]==version`; ranges and addresses are no version."""
    for line in _PINNED.finditer(text):
        yield line[1], line[2]


def _poetry(text: str) -> _Pairs:
    return _locked(block for block in _blocks(text) if not _ELSEWHERE.search(block))


def _pdm(text: str) -> _Pairs:
    return _locked(block for block in _blocks(text) if not _NOT_OF_INDEX.search(block))


def _pipenv(text: str) -> _Pairs:
    """Pipfile.lock: `default`, `develop` and other groups, each with its packages by name."""
    match json.loads(text):
        case dict() as lock:
            groups = [group for name, group in lock.items() if name != "_meta"]
        case _:
            raise ValueError("no object")
    for group in groups:
        for name, entry in _entries(group):
            version = entry.get("version")
            if isinstance(version, str):  # not of what is from git, or from a path
                yield name, version.removeprefix("==")


def _from_registries(text: str) -> _Pairs:
    """uv.lock and Cargo.lock: a package without a registry is the project's own, or of git."""
    return _locked(block for block in _blocks(text) if _REGISTRY.search(block))


def _blocks(text: str) -> Iterator[str]:
    return iter(re.split(r"^\[\[package\]\]$", text, flags=re.MULTILINE)[1:])


def _locked(blocks: Iterator[str]) -> _Pairs:
    for block in blocks:
        values = dict(_VALUE.findall(block.partition("\n[")[0]))
        if len(values) == 2:
            yield values["name"], values["version"]


def _npm(text: str) -> _Pairs:
    """package-lock.json: `packages` by their folder (version 2 and 3), else `dependencies`."""
    match json.loads(text):
        case dict() as lock:
            return _of_lock(lock)
        case _:
            raise ValueError("no object")


def _of_lock(lock: Mapping[str, Any]) -> _Pairs:
    for folder, entry in _entries(lock.get("packages")):
        _, installed, name = folder.rpartition("node_modules/")
        if installed:
            yield from _installed(entry.get("name") or name, entry)
    trees = [] if "packages" in lock else [lock.get("dependencies")]
    while trees:
        for name, entry in _entries(trees.pop()):
            yield from _installed(name, entry)
            trees.append(entry.get("dependencies"))


def _entries(table: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    items = table.items() if isinstance(table, dict) else ()
    return ((name, entry) for name, entry in items if isinstance(entry, dict))


def _installed(name: Any, entry: Mapping[str, Any]) -> _Pairs:
    version, origin = entry.get("version"), str(entry.get("resolved") or "")
    elsewhere = entry.get("link") or origin.startswith(("git", "file:"))
    if isinstance(name, str) and isinstance(version, str) and not elsewhere:
        yield name, version


def _yarn(text: str) -> _Pairs:
    """yarn.lock. In version 1 the name is on the line of what was asked for, and the installed
    version below it; later ones have both in what that was resolved to."""
    name = ""
    for line in text.split("\n"):
        if not line.startswith((" ", "#")):
            key = _YARN_KEY.match(line)
            name = key[1] if key and not _FROM_ELSEWHERE.match(key[2]) else ""
        elif name and (version := _YARN_VERSION.fullmatch(line)):
            yield name, version[1]
        elif found := _YARN_RESOLVED.fullmatch(line):
            yield found[1], found[2]


def _pnpm(text: str) -> _Pairs:
    """pnpm-lock.yaml: `packages` by `/name/1.0.0`, `/name@1.0.0` or `name@1.0.0`, as versions 5,
    6 and 9 have it, with what they were resolved beside after it. What pnpm itself needs is in a
    document of its own."""
    listed = False
    for line in text.split("\n"):
        if line and not line.startswith(" "):
            listed = line == "packages:"
        elif listed and (found := _PNPM.fullmatch(line)):
            yield found[1], found[2]


def _go(text: str) -> _Pairs:
    """go.sum: a module whose content was fetched; those of which only go.mod was are not built."""
    for line in _SUM.finditer(text):
        yield line[1], line[2]


_READERS: Mapping[str, tuple[str, Callable[[str], _Pairs]]] = {
    "poetry.lock": ("PyPI", _poetry),
    "pdm.lock": ("PyPI", _pdm),
    "Pipfile.lock": ("PyPI", _pipenv),
    "uv.lock": ("PyPI", _from_registries),
    "package-lock.json": ("npm", _npm),
    "npm-shrinkwrap.json": ("npm", _npm),
    "yarn.lock": ("npm", _yarn),
    "pnpm-lock.yaml": ("npm", _pnpm),
    "Cargo.lock": ("crates.io", _from_registries),
    "go.sum": ("Go", _go),
}
PATHS = ("requirements*.txt", "requirements/*.txt", *_READERS)
"""The files that are read, in any folder; as git's glob patterns."""

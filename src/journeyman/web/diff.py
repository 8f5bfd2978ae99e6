"""A patch as `git diff` writes it, taken apart: files, hunks, lines with their numbers.

Knows nothing of HTML. Whatever it cannot read it keeps as lines of context.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest

HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@ ?(.*)")
ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
ESCAPED = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f"}
ESCAPED |= {b"v": b"\v"}


@dataclass(frozen=True)
class Line:
    kind: str
    """`+`, `-`, ` `, or `\\` for git's own remark."""
    text: str
    old: int | None = None
    new: int | None = None


@dataclass(frozen=True)
class Hunk:
    title: str
    lines: Sequence[Line]

    @property
    def pairs(self) -> Iterator[tuple[Line | None, Line | None]]:
        """Side by side: what was taken out next to what was put in its place."""
        removed: list[Line] = []
        added: list[Line] = []
        for line in self.lines:
            if line.kind == "-":
                if added:
                    yield from zip_longest(removed, added)
                    removed, added = [], []
                removed.append(line)
            elif line.kind == "+":
                added.append(line)
            else:
                yield from zip_longest(removed, added)
                removed, added = [], []
                yield line, line
        yield from zip_longest(removed, added)


@dataclass
class FileDiff:
    index: int
    path: str
    old_path: str
    status: str = "modified"
    """added, deleted, renamed, copied or modified."""
    binary: bool = False
    mode: str = ""
    """Said when it changed: `100644 → 100755`."""
    hunks: list[Hunk] = field(default_factory=list)
    added: int = 0
    removed: int = 0

    @property
    def lines(self) -> int:
        return sum(len(hunk.lines) for hunk in self.hunks)


def parse(patch: bytes) -> list[FileDiff]:
    files: list[FileDiff] = []
    lines = patch.decode("utf-8", "replace").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    position = 0
    while position < len(lines):
        if lines[position].startswith("diff --git "):
            made, position = _file(lines, position, len(files))
            files.append(made)
        else:
            position += 1
    return files


def _file(lines: Sequence[str], position: int, index: int) -> tuple[FileDiff, int]:
    old, new = _paths(lines[position])
    made, modes = FileDiff(index, new, old), ["", ""]
    position += 1
    while position < len(lines) and not lines[position].startswith(("diff --git ", "@@ ")):
        _header(made, modes, lines[position])
        position += 1
        if made.binary:
            while position < len(lines) and not lines[position].startswith("diff --git "):
                position += 1
    if all(modes):
        made.mode = " → ".join(modes)
    while position < len(lines) and (title := HUNK.fullmatch(lines[position])):
        hunk, position = _hunk(lines, position + 1, title)
        made.hunks.append(hunk)
        made.added += sum(line.kind == "+" for line in hunk.lines)
        made.removed += sum(line.kind == "-" for line in hunk.lines)
    return made, position


def _header(made: FileDiff, modes: list[str], line: str) -> None:
    match line.split(" ", 2):
        case ["new", "file", _]:
            made.status = "added"
        case ["deleted", "file", _]:
            made.status = "deleted"
        case [("rename" | "copy") as what, "from", path]:
            made.old_path = _unquoted(path)
            made.status = "renamed" if what == "rename" else "copied"
        case ["rename" | "copy", "to", path]:
            made.path = _unquoted(path)
        case ["old", "mode", mode]:
            modes[0] = mode
        case ["new", "mode", mode]:
            modes[1] = mode
        case ["---" | "+++" as side, *rest] if rest != ["/dev/null"]:
            path = _unquoted(" ".join(rest).rstrip("\t"))[2:]
            made.path, made.old_path = (path, made.old_path) if side == "+++" else (made.path, path)
        case ["GIT", "binary", _] | ["Binary", "files", _]:
            made.binary = True


def _hunk(lines: Sequence[str], position: int, title: re.Match[str]) -> tuple[Hunk, int]:
    old, new, found = int(title[1]), int(title[2]), list[Line]()
    while position < len(lines):
        kind, text = lines[position][:1] or " ", lines[position][1:]
        match kind:
            case "+":
                found.append(Line(kind, text, None, new))
                new += 1
            case "-":
                found.append(Line(kind, text, old, None))
                old += 1
            case " ":
                found.append(Line(kind, text, old, new))
                old, new = old + 1, new + 1
            case "\\":
                found.append(Line(kind, text.strip()))
            case _:
                break
        position += 1
    return Hunk(title[0], found), position


def _paths(line: str) -> tuple[str, str]:
    """Of `diff --git a/x b/x`, which is certain only when both are the same."""
    rest = line.removeprefix("diff --git ")
    if rest.startswith('"'):
        found = re.findall(r'"(?:[^"\\]|\\.)*"|\S+', rest)
        old, new = (found[0], found[-1]) if found else (rest, rest)
    else:
        half = len(rest) // 2
        old, new = rest[:half], rest[half + 1 :]
    return _unquoted(old)[2:], _unquoted(new)[2:]


def _unquoted(path: str) -> str:
    """As git quotes names with unusual bytes: like C, in octal."""
    if not (path.startswith('"') and path.endswith('"') and len(path) > 1):
        return path

    def byte(found: re.Match[bytes]) -> bytes:
        code = found[1]
        return bytes([int(code, 8) & 255]) if len(code) == 3 else ESCAPED.get(code, code)

    return ESCAPE.sub(byte, path[1:-1].encode()).decode("utf-8", "replace")

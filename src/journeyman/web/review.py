"""A diff to read: files in a tree, lines coloured, unified or side by side.

What is large opens when it is wanted, so that a diff of thousands of files is a page too.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, not_found
from journeyman.service import Services
from journeyman.web import diff, highlight
from journeyman.web.desk import Desk
from journeyman.web.diff import FileDiff, Line
from journeyman.web.session import Visit
from journeyman.web.watching import Looked, look

LINES_AT_ONCE = 3000
"""Of all files, drawn when the page is opened."""
LINES_OF_ONE = 800
"""A file with more opens only when it is asked for."""
FILES_AT_ONCE = 150
LINES_MOST = 20_000
"""Of one file; the rest is in the patch."""
KEPT = 8
"""Patches that are remembered, since each file that opens needs its patch again."""


@dataclass
class Folder:
    folders: dict[str, Folder] = field(default_factory=dict)
    files: list[FileDiff] = field(default_factory=list)


@dataclass(frozen=True)
class Drawn:
    """A file and, where it is shown, its lines in colour by kind and number."""

    file: FileDiff
    shown: bool
    colours: Mapping[tuple[str, int], Markup] = field(default_factory=dict)

    def text(self, line: Line) -> Markup | str:
        old = line.kind == "-"
        number = line.old if old else line.new
        return self.colours.get(("-" if old else "+", number or 0), line.text)


class Review:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services
        self._patches: OrderedDict[tuple[str, int], list[FileDiff]] = OrderedDict()

    async def changes(self, request: Request, visit: Visit) -> Response:
        """All that the newest session changed; `file=3` alone gives one file."""
        seen = await look(self._desk, self._services, request, visit)
        error = ""
        try:
            files = await self._files(seen)
        except AppError as problem:
            files, error = [], problem.message
        values = {
            **shown(files, request),
            "sight": seen.sight,
            "task": seen.sight.task,
            "error": error,
            "offers_pull": False,
            "path": request.url.path,
        }
        part = request.query_params.get("part") == "file"
        return self._desk.page("file.html" if part else "changes.html", visit, **values)

    async def _files(self, seen: Looked) -> list[FileDiff]:
        task = seen.sight.task
        key = (task.id, task.session.last_seq)
        if key not in self._patches:
            patch = await self._services.patches.patch(seen.principal, task.id)
            self._patches[key] = diff.parse(patch)
            while len(self._patches) > KEPT:
                self._patches.popitem(last=False)
        return self._patches[key]


def shown(files: Sequence[FileDiff], request: Request) -> dict[str, Any]:
    """What the templates of a diff need."""
    asked = request.query_params.get("file", "")
    one = _one(files, asked) if asked else None
    return {
        "drawn": [_coloured(one)] if one else list(_drawn(files)),
        "count": len(files),
        "added": sum(file.added for file in files),
        "removed": sum(file.removed for file in files),
        "tree": _tree(files),
        "only": one,
        "split": request.query_params.get("view") == "split",
        "most": LINES_MOST,
    }


def _one(files: Sequence[FileDiff], asked: str) -> FileDiff:
    if not asked.isdecimal() or len(asked) > 6 or int(asked) >= len(files):
        raise not_found("The changes have no such file any more.")
    return files[int(asked)]


def _drawn(files: Iterable[FileDiff]) -> Iterable[Drawn]:
    left = LINES_AT_ONCE
    for file in files:
        fits = file.lines <= min(left, LINES_OF_ONE) and file.index < FILES_AT_ONCE
        if fits:
            left -= file.lines
        yield _coloured(file) if fits else Drawn(file, shown=False)


def _coloured(file: FileDiff) -> Drawn:
    """Each side is coloured as the text it is; lines between hunks are not known."""
    lines = [line for hunk in file.hunks for line in hunk.lines][:LINES_MOST]
    colours: dict[tuple[str, int], Markup] = {}
    for sign, path in (("-", file.old_path), ("+", file.path)):
        side = [line for line in lines if line.kind in (sign, " ")]
        if not side:
            continue
        coloured = highlight.by_path("\n".join(line.text for line in side), path)
        for line, text in zip(side, coloured, strict=False):
            number = line.old if sign == "-" else line.new
            colours[sign, number or 0] = text
    return Drawn(file, shown=True, colours=colours)


def _tree(files: Iterable[FileDiff]) -> Folder:
    root = Folder()
    for file in files:
        folder = root
        for name in file.path.split("/")[:-1]:
            folder = folder.folders.setdefault(name, Folder())
        folder.files.append(file)
    return root

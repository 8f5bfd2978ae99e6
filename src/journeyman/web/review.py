"""A diff to read: files in a tree, lines coloured, unified or side by side.

What is large opens when it is wanted, so that a diff of thousands of files is a page too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.errors import AppError, not_found
from journeyman.service import Services
from journeyman.web import highlight
from journeyman.web.desk import Desk
from journeyman.web.diff import FileDiff, Line
from journeyman.web.notes import ByPath, Note, Place
from journeyman.web.patches import Parsed
from journeyman.web.session import Visit
from journeyman.web.watching import Looked, look, offers_pull

LINES_AT_ONCE = 3000
"""Of all files, drawn when the page is opened."""
LINES_OF_ONE = 800
"""A file with more opens only when it is asked for."""
FILES_AT_ONCE = 150
"""Drawn when the page is opened, of those on it."""
FILES_OF_PAGE = 300
"""Of a diff with more, the tree leads to the others' pages."""
LINES_MOST = 20_000
"""Of one file; the rest is in the patch."""


@dataclass
class Folder:
    folders: dict[str, Folder] = field(default_factory=dict)
    files: list[FileDiff] = field(default_factory=list)


@dataclass(frozen=True)
class Drawn:
    """A file and, where it is shown, its lines in colour by kind and number."""

    file: FileDiff
    shown: bool
    colours: Mapping[Place, Markup] = field(default_factory=dict)
    notes: Mapping[Place, Sequence[Note]] = field(default_factory=dict)
    """Comments, where the lines are that they speak of."""

    def notes_on(self, line: Line | None, *, old: bool | None = None) -> Sequence[Note]:
        """*old*: of the left half, side by side; None for both."""
        if line is None or not self.notes:
            return ()
        left = () if old is False or line.old is None else self.notes.get(("-", line.old), ())
        right = () if old is True or line.new is None else self.notes.get(("+", line.new), ())
        return (*left, *right)

    @property
    def note_count(self) -> int:
        return sum(map(len, self.notes.values()))

    def text(self, line: Line) -> Markup | str:
        old = line.kind == "-"
        number = line.old if old else line.new
        return self.colours.get(("-" if old else "+", number or 0), line.text)


class Review:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services
        self._parsed = Parsed()

    async def changes(self, request: Request, visit: Visit) -> Response:
        """All that the newest session changed; `file=3` alone gives one file."""
        seen = await look(self._desk, self._services, request, visit)
        error = ""
        try:
            files = await self._files(seen)
        except AppError as problem:
            files, error = [], problem.message
        values = {
            **await asyncio.to_thread(shown, files, request),
            "sight": seen.sight,
            "task": seen.sight.task,
            "error": error,
            "offers_pull": offers_pull(seen.sight),
            "commentable": False,
            "path": request.url.path,
        }
        part = request.query_params.get("part") == "file"
        return self._desk.page("file.html" if part else "changes.html", visit, **values)

    async def _files(self, seen: Looked) -> list[FileDiff]:
        task = seen.sight.task
        return await self._parsed.get(
            (task.id, task.session.number, task.session.last_seq),
            lambda: self._services.patches.patch(seen.principal, task.id),
        )


def shown(
    files: Sequence[FileDiff], request: Request, notes: ByPath | None = None
) -> dict[str, Any]:
    """What the templates of a diff need."""
    notes = notes or {}
    asked = request.query_params.get("file", "")
    one = _one(files, asked) if asked else None
    begin = 0 if one else _begin(request.query_params.get("from", ""), len(files))
    page = [one] if one else files[begin : begin + FILES_OF_PAGE]
    return {
        "drawn": [_coloured(one, notes)] if one else list(_drawn(page, notes)),
        "count": len(files),
        "added": sum(file.added for file in files),
        "removed": sum(file.removed for file in files),
        "tree": _tree(files),
        "only": one,
        "here": {file.index for file in page},
        "pages": range(0, len(files), FILES_OF_PAGE) if len(files) > FILES_OF_PAGE else (),
        "begin": begin,
        "split": request.query_params.get("view") == "split",
        "most": LINES_MOST,
    }


def _begin(text: str, count: int) -> int:
    """The first file of the page that *text* falls into."""
    wanted = int(text) if text.isdecimal() and len(text) < 8 else 0
    return min(wanted, max(0, count - 1)) // FILES_OF_PAGE * FILES_OF_PAGE


def _one(files: Sequence[FileDiff], asked: str) -> FileDiff:
    if not asked.isdecimal() or len(asked) > 6 or int(asked) >= len(files):
        raise not_found("The changes have no such file any more.")
    return files[int(asked)]


def _drawn(files: Iterable[FileDiff], notes: ByPath) -> Iterable[Drawn]:
    left = LINES_AT_ONCE
    for number, file in enumerate(files):
        fits = file.lines <= min(left, LINES_OF_ONE) and number < FILES_AT_ONCE
        if fits:
            left -= file.lines
            yield _coloured(file, notes)
        else:
            yield Drawn(file, shown=False, notes=notes.get(file.path, {}))


def _coloured(file: FileDiff, notes: ByPath) -> Drawn:
    """Each side is coloured as the text it is; lines between hunks are not known."""
    lines = [line for hunk in file.hunks for line in hunk.lines][:LINES_MOST]
    colours: dict[Place, Markup] = {}
    for sign, path in (("-", file.old_path), ("+", file.path)):
        side = [line for line in lines if line.kind in (sign, " ")]
        if not side:
            continue
        coloured = highlight.by_path("\n".join(line.text for line in side), path)
        for line, text in zip(side, coloured, strict=False):
            number = line.old if sign == "-" else line.new
            colours[sign, number or 0] = text
    return Drawn(file, shown=True, colours=colours, notes=notes.get(file.path, {}))


def _tree(files: Iterable[FileDiff]) -> Folder:
    root = Folder()
    for file in files:
        folder = root
        for name in file.path.split("/")[:-1]:
            folder = folder.folders.setdefault(name, Folder())
        folder.files.append(file)
    return root

"""Comments on lines where a diff shows them. Knows nothing of HTML."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from journeyman.domain.errors import invalid
from journeyman.domain.reviews import TEXT_LIMIT, Discussion, LineComment, NewComment, Side
from journeyman.web.diff import FileDiff

SIGNS: Mapping[Side, str] = {Side.LEFT: "-", Side.RIGHT: "+"}
Place = tuple[str, int]
"""The side of a line, `-` or `+`, and its number there."""


@dataclass(frozen=True)
class Note:
    login: str
    at: datetime
    comment: LineComment
    pending: bool


ByPath = Mapping[str, Mapping[Place, Sequence[Note]]]


def by_path(discussion: Discussion, login: str) -> ByPath:
    """*login*: of who looks, whose comments those are that wait."""
    found: dict[str, dict[Place, list[Note]]] = defaultdict(lambda: defaultdict(list))
    for note in _notes(discussion, login):
        comment = note.comment
        found[comment.path][SIGNS[comment.side], comment.line].append(note)
    return found


def _notes(discussion: Discussion, login: str) -> Iterator[Note]:
    for review in discussion.reviews:
        for comment in review.comments:
            yield Note(review.login, review.created_at, comment, pending=False)
    for comment in discussion.pending:
        yield Note(login, comment.created_at, comment, pending=True)


def comment_on(files: Sequence[FileDiff], sent: Mapping[str, str]) -> NewComment:
    """What a form says of a line of *files*; INVALID when they have no such line."""
    path, number = sent.get("path", ""), sent.get("line", "").strip()
    side = Side.LEFT if sent.get("side") == Side.LEFT else Side.RIGHT
    line = int(number) if number.isdecimal() and len(number) < 9 else 0
    text = _text(files, path, side, line)
    if text is None:
        was = "had" if side is Side.LEFT else "has"
        message = f"The changes show no line {number[:20]!r} that {path[:200]} {was}."
        raise invalid("line", message)
    body = sent.get("body", "").replace("\r\n", "\n")
    return NewComment(path, line, side, text[:TEXT_LIMIT], body)


def _text(files: Sequence[FileDiff], path: str, side: Side, number: int) -> str | None:
    for file in files:
        if file.path == path:
            for hunk in file.hunks:
                for line in hunk.lines:
                    if number == (line.old if side is Side.LEFT else line.new):
                        return line.text
    return None

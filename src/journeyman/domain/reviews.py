"""What people write about the lines of a pull request, and how an agent is told of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from journeyman.domain.errors import invalid

BODY_LIMIT = 20_000
"""Characters of one comment."""
TEXT_LIMIT = 500
"""Of the line that is spoken of, kept so that the comment can be read when the line is gone."""
PATH_LIMIT = 4_096
LAST_LINE = 10_000_000


class Side(StrEnum):
    """GitHub's words: a line as it was, or as it is with the changes."""

    LEFT = "LEFT"
    RIGHT = "RIGHT"


@dataclass(frozen=True)
class NewComment:
    """On one line of one file, checked for shape."""

    path: str
    line: int
    side: Side
    text: str
    """What the line says."""
    body: str

    def __post_init__(self) -> None:
        if not self.body.strip() or len(self.body) > BODY_LIMIT:
            size = len(self.body)
            message = f"The comment has {size} characters; write between 1 and {BODY_LIMIT}."
            raise invalid("body", message)
        if not self.path or len(self.path) > PATH_LIMIT:
            raise invalid("path", "The comment names no file of the pull request.")
        if not 0 < self.line <= LAST_LINE:
            raise invalid("line", f"line is {self.line}; it is the number of a line, from 1 on.")


@dataclass(frozen=True)
class LineComment:
    id: int
    path: str
    line: int
    side: Side
    text: str
    body: str
    created_at: datetime


@dataclass(frozen=True)
class Review:
    """Comments that were sent together. What was sent is done by *task_id*'s session."""

    id: int
    login: str
    body: str
    comments: tuple[LineComment, ...]
    task_id: str
    created_at: datetime


@dataclass(frozen=True)
class Discussion:
    """Of one pull request: what was sent, oldest first, and what its reader has yet to send."""

    reviews: tuple[Review, ...]
    pending: tuple[LineComment, ...]


def prompt_of(number: int, body: str, comments: Iterable[LineComment]) -> str:
    """A review as the agent reads it."""
    parts = [f"This is a review of pull request #{number}. Make the changes it asks for."]
    parts += [body.strip()] if body.strip() else []
    return "\n\n".join([*parts, *map(_told, comments)])


def _told(comment: LineComment) -> str:
    was = ", as it was before the change" if comment.side is Side.LEFT else ""
    quoted = f"> {comment.text}\n\n" if comment.text.strip() else ""
    return f"`{comment.path}`, line {comment.line}{was}:\n\n{quoted}{comment.body.strip()}"

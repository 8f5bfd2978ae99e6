"""That a look at a session's files has found nothing new, for whoever begins after a crash here.

The log says of files that they are saved, or with the next reply that they are the same; a worker
that is killed before that reply leaves the answer in the session's directory, where nothing inside
the sandbox reaches it. On another machine the answer is not known, and what ran last counts as
undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from journeyman.domain.events import Event, EventType

CALLS = frozenset({EventType.TOOL_START, EventType.TOOL_COMPLETE})


def unchanged(directory: Path, log: Sequence[Event]) -> bool:
    """Whether all that was run is in the last checkpoint, or has changed no file."""
    found = {_read(path) for path in directory.glob("unchanged-*")}
    for event in reversed(log):
        if _named(event) in found:
            return True
        if event.type in CALLS:
            return False
    return False


def begin(directory: Path, fence: int) -> None:
    """From here on only who holds the session by *fence* tells what it sees: a former holder that
    goes on would find its own changes undone, and nothing new. OSError when what that has told
    cannot be removed."""
    for path in directory.glob("unchanged-*"):
        path.unlink(missing_ok=True)
    with suppress(OSError):
        _path(directory, fence).touch()


def tell(directory: Path, fence: int, newest: Event) -> None:
    """A look that began after *newest* was logged has found nothing that is not saved. On a full
    disk that is not known after a crash, no more."""
    with suppress(OSError), _path(directory, fence).open("r+") as file:
        file.write(_named(newest))
        file.truncate()


def _path(directory: Path, fence: int) -> Path:
    return directory / f"unchanged-{fence}"


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _named(event: Event) -> str:
    """With its time: a log that was restored from a backup uses its numbers again."""
    return f"{event.seq} {event.created_at.isoformat()}\n"

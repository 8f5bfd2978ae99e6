"""What commands print: tables, states in colour, JSON, times. Knows nothing of requests."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

PIPE_WIDTH = 240
"""Columns when no terminal says how many there are: a table that is piped is not cut."""

STATES = {
    "queued": ("○", "cyan"),
    "in_progress": ("●", "yellow"),
    "waiting_for_user": ("?", "magenta"),
    "idle": ("‖", "blue"),
    "completed": ("✓", "green"),
    "failed": ("✗", "red"),
    "timed_out": ("⧗", "red"),
    "cancelled": ("⊘", "bright_black"),
}
ENDED = frozenset({"completed", "failed", "timed_out", "cancelled"})
SETTLED = ENDED | {"waiting_for_user", "idle"}
"""Where nothing more happens by itself."""

_ESCAPES = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # operating system commands: window titles, the clipboard
    r"|\x1b[P^_X][^\x1b]*(?:\x1b\\)?"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[ -/]*[0-~]?"
    r"|[\x00-\x08\x0b-\x1f\x7f-\x9f]"
)


def console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, emoji=False)


def clean(text: str) -> str:
    """*text* of unknown origin without anything that would steer the reader's terminal."""
    return _ESCAPES.sub("", text.replace("\r\n", "\n"))


def hint(text: str) -> None:
    """What helps a person but is not the answer: standard error."""
    print(text, file=sys.stderr)


def print_diff(patch: str) -> None:
    from rich.syntax import Syntax

    text = clean(patch).rstrip("\n")
    console().print(Syntax(text, "diff", theme="ansi_dark", background_color="default"))


def print_json(value: Any) -> None:
    print(json.dumps(value, indent=2, ensure_ascii=False))


def print_json_line(value: Any) -> None:
    print(json.dumps(value, ensure_ascii=False), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text | None]]) -> None:
    """The first column is never cut: it is what is copied into the next command. On a narrow
    terminal the widest of the others gives way first.
    """
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        table.add_column(_on_one_line(column), header_style="bold", no_wrap=index == 0)
    for row in rows:
        table.add_row(*(_on_one_line(cell or "") for cell in row))
    target = console()
    with target.capture() as drawn:
        target.print(table)
    # Without the blanks that every line is filled up with.
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()))


def _on_one_line(cell: str | Text) -> Text:
    text = Text(clean(cell)) if isinstance(cell, str) else cell
    text.no_wrap, text.overflow = True, "ellipsis"
    return text


def print_fields(fields: Sequence[tuple[str, Text]]) -> None:
    """A line each. Long ones are left to the terminal to break: an address stays one to copy."""
    width = max(len(name) for name, _ in fields)
    for name, value in fields:
        label = (f"{name:<{width}}  ", "dim")
        console().print(Text.assemble(label, value), soft_wrap=True)


def state(name: str, reason: str | None = None) -> Text:
    icon, style = STATES.get(name, ("·", "default"))
    shown = (f"{icon} {name.replace('_', ' ')}", style)
    return Text.assemble(shown, (f" ({reason})", "dim") if reason else "")


def mark(sign: str, style: str) -> Text:
    return Text(sign, style=style)


def ago(time: str | None) -> str:
    """How long before now an ISO time was, in one unit."""
    if not time:
        return ""
    seconds = (datetime.now(UTC) - moment(time)).total_seconds()
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit} ago"
    return f"{max(0, int(seconds))} s ago"


def moment(time: str) -> datetime:
    return datetime.fromisoformat(time.replace("Z", "+00:00"))


def about(number: int) -> str:
    """Bytes as people say them: 1.4 GiB."""
    for unit, shift in (("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if number >= 1 << shift:
            return f"{number / (1 << shift):.1f} {unit}"
    return f"{number} B"


def size(number: int) -> str:
    """Bytes with the largest unit that divides them."""
    for unit, shift in (("GiB", 30), ("MiB", 20)):
        if number and number % (1 << shift) == 0:
            return f"{number >> shift} {unit}"
    return str(number)

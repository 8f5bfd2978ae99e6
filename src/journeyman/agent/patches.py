"""The patch format that models know from OpenAI's Codex: read, and applied to texts.

Format: `*** Begin Patch`, then `*** Add File:`, `*** Delete File:` or `*** Update File: PATH` (with
`*** Move to: PATH`) and hunks after `@@`, then `*** End Patch`. Source and wording of the errors:
github.com/openai/codex, codex-rs/apply-patch. Knows nothing of files or sandboxes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

BEGIN, END = "*** Begin Patch", "*** End Patch"
ADD, DELETE, UPDATE = "*** Add File: ", "*** Delete File: ", "*** Update File: "
MOVE, END_OF_FILE = "*** Move to: ", "*** End of File"
TYPOGRAPHIC = str.maketrans(
    dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-")
    | dict.fromkeys("\u2018\u2019\u201a\u201b", "'")
    | dict.fromkeys("\u201c\u201d\u201e\u201f", '"')
    | dict.fromkeys("\u00a0\u2002\u2003\u2009\u202f\u3000", " ")
)
"""Characters that models write for plainer ones."""
LOOSENESS: tuple[Callable[[str], str], ...] = (
    lambda line: line,
    str.rstrip,
    str.strip,
    lambda line: line.strip().translate(TYPOGRAPHIC),
)
"""How lines are compared: exactly, and if that finds nothing ever more loosely."""


class PatchError(ValueError):
    """The patch is no patch, or does not fit; the message says where."""


@dataclass
class Hunk:
    """Lines to be found, and what is to stand in their place."""

    context: str = ""
    """A line above, from which on they are looked for."""
    old: list[str] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    at_end: bool = False


@dataclass
class Change:
    """What is to become of one file."""

    kind: str
    """add, delete or update"""
    path: str
    content: str = ""
    """Of a file to add."""
    moved_to: str | None = None
    hunks: list[Hunk] = field(default_factory=list)


def parse(patch: str) -> list[Change]:
    # Not splitlines, which takes a form feed, or what divides lines in Unicode, for an end, too.
    lines = patch.strip().replace("\r\n", "\n").split("\n")
    if not lines or lines[0].strip() != BEGIN:
        raise PatchError(f"Invalid patch: The first line of the patch must be '{BEGIN}'")
    if lines[-1].strip() != END:
        raise PatchError(f"Invalid patch: The last line of the patch must be '{END}'")
    changes, number = list[Change](), 1
    while number < len(lines) - 1:
        change, number = _change(lines, number)
        changes.append(change)
    if not changes:
        raise PatchError("Invalid patch: it changes no file")
    return changes


def _change(lines: Sequence[str], number: int) -> tuple[Change, int]:
    """The change whose heading is at *number*, and where the next one begins."""
    heading = lines[number].strip()
    end = number + 1
    while end < len(lines) - 1 and not _is_heading(lines[end]):
        end += 1
    body = lines[number + 1 : end]
    if heading.startswith(ADD):
        return Change("add", heading.removeprefix(ADD), _added(body, number + 2)), end
    if heading.startswith(DELETE):
        if any(line.strip() for line in body):
            raise _wrong(number + 2, "nothing may follow a Delete File but another heading")
        return Change("delete", heading.removeprefix(DELETE)), end
    if heading.startswith(UPDATE):
        return _update(heading.removeprefix(UPDATE), body, number + 2), end
    raise _wrong(
        number + 1,
        f"'{heading}' is not a valid hunk header. Valid hunk headers: "
        f"'{ADD}{{path}}', '{DELETE}{{path}}', '{UPDATE}{{path}}'",
    )


def _is_heading(line: str) -> bool:
    return line.startswith("*** ") and not line.startswith((MOVE, END_OF_FILE))


def _added(body: Sequence[str], first: int) -> str:
    for number, line in enumerate(body, first):
        if not line.startswith("+"):
            raise _wrong(number, f"each line of an added file begins with '+', got: '{line}'")
    return "".join(f"{line[1:]}\n" for line in body)


def _update(path: str, body: Sequence[str], first: int) -> Change:
    change = Change("update", path)
    start = 0
    if body and body[0].startswith(MOVE):
        change.moved_to, start = body[0].removeprefix(MOVE).strip(), 1
    for number, line in enumerate(body[start:], first + start):
        if line.startswith("@@"):
            change.hunks.append(Hunk(line[2:].strip()))
        elif line.strip() == END_OF_FILE and change.hunks:
            change.hunks[-1].at_end = True
        else:
            if not change.hunks:  # the first one may do without its @@
                change.hunks.append(Hunk())
            _add_line(change.hunks[-1], line, number)
    if not change.hunks and change.moved_to is None:
        raise _wrong(first, f"Update file hunk for path '{path}' is empty")
    for hunk in change.hunks:
        if not hunk.old and not hunk.new:
            raise _wrong(first, f"Update hunk of '{path}' does not contain any lines")
    return change


def _add_line(hunk: Hunk, line: str, number: int) -> None:
    sign, text = line[:1], line[1:]
    if sign not in ("", " ", "-", "+"):
        raise _wrong(
            number,
            f"Unexpected line found in update hunk: '{line}'. Every line should start with ' ' "
            "(context line), '+' (added line), or '-' (removed line)",
        )
    if sign != "+":
        hunk.old.append(text)
    if sign != "-":
        hunk.new.append(text)


def apply(change: Change, text: str) -> str:
    """*text* with the hunks of *change*. PatchError says which lines were not found."""
    ends = "\r\n" if "\r\n" in text else "\n"
    lines = text.split(ends)
    if lines[-1] == "":
        lines.pop()
    made, position = list[str](), 0
    for hunk in change.hunks:
        start = _place(hunk, lines, position, change.path)
        made += [*lines[position:start], *hunk.new]
        position = start + len(hunk.old)
    made += lines[position:]
    return "".join(f"{line}{ends}" for line in made)


def _place(hunk: Hunk, lines: Sequence[str], position: int, path: str) -> int:
    """Where the old lines of *hunk* begin, at or after *position*."""
    if hunk.context:
        found = _find([hunk.context], lines, position)
        if found is None:
            raise PatchError(f"Failed to find context '{hunk.context}' in {path}")
        position = found + 1 if hunk.old and hunk.old[0] != lines[found] else found
    if not hunk.old:
        return len(lines) if not hunk.context else position
    found = _find(hunk.old, lines, len(lines) - len(hunk.old)) if hunk.at_end else None
    if found is None:
        found = _find(hunk.old, lines, position)
    if found is None and hunk.old[-1] == "":  # an empty line that the file lacks at its end
        hunk.old.pop()
        if hunk.new and hunk.new[-1] == "":
            hunk.new.pop()
        return _place(hunk, lines, position, path) if hunk.old else len(lines)
    if found is None:
        wanted = "\n".join(hunk.old)
        raise PatchError(f"Failed to find expected lines in {path}:\n{wanted}")
    return found


def _find(wanted: Sequence[str], lines: Sequence[str], position: int) -> int | None:
    for loosened in LOOSENESS:
        sought = [loosened(line) for line in wanted]
        there = [loosened(line) for line in lines]
        for start in range(max(position, 0), len(lines) - len(wanted) + 1):
            if there[start : start + len(sought)] == sought:
                return start
    return None


def _wrong(number: int, what: str) -> PatchError:
    return PatchError(f"Invalid patch hunk on line {number}: {what}")

"""The tool edit: replace an exact piece of a file, and help when it does not match."""

from __future__ import annotations

import difflib

from pydantic import Field

from journeyman.agent.tools import files
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, ToolError, make_tool
from journeyman.sandbox import Sandbox

EXCERPT_LINES = 10
SEARCHED_LINES = 3000
"""How far a near match is looked for: comparing is slow."""
COMPARED_CHARS = 200


class Replacement(Arguments):
    """Replace text in a file. `old` must match exactly, whitespace included, and only once."""

    path: str = Field(min_length=1, description="From the root of the repository, or absolute.")
    old: str = Field(min_length=1, description="The text to replace, with enough around it.")
    new: str = Field(description="What to put in its place.")
    replace_all: bool = Field(default=False, description="Replace every match, not just one.")


def tool(box: Sandbox) -> Tool:
    async def run(arguments: Replacement, on_partial: OnPartial) -> Result:
        if arguments.old == arguments.new:
            raise ToolError("old and new are the same; nothing was changed.")
        data = await files.read(box, arguments.path)
        # surrogateescape keeps bytes that are not UTF-8 as they are
        text = data.decode(errors="surrogateescape")
        old, new = _line_ends_of(text, arguments.old, arguments.new)
        count = text.count(old)
        if count == 0:
            raise ToolError(_no_match(arguments.path, text, arguments.old))
        if count > 1 and not arguments.replace_all:
            raise ToolError(_many_matches(arguments.path, text, old))
        first = text.index(old)
        changed = text.replace(old, new)
        found = await files.find(box, arguments.path)
        mode = found.mode if found is not None else 0o644
        await files.write(box, arguments.path, _encoded(changed), mode=mode)
        matches = "1 match" if count == 1 else f"{count} matches"
        text = f"Replaced {matches} in {arguments.path}.\n{_excerpt(changed, first, new)}"
        return Result(text, paths=files.touched(arguments.path))

    return make_tool("edit", Replacement, run)


def _line_ends_of(text: str, old: str, new: str) -> tuple[str, str]:
    """*old* and *new* with the file's line ends, when that is what keeps *old* from matching."""
    windows = old.replace("\r\n", "\n").replace("\n", "\r\n")
    if old in text or windows not in text:
        return old, new
    return windows, new.replace("\r\n", "\n").replace("\n", "\r\n")


def _encoded(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise ToolError(f"new has a character that UTF-8 cannot hold: {error.reason}.") from error


def _line_of(text: str, position: int) -> int:
    """From 1."""
    return text.count("\n", 0, position) + 1


def _excerpt(text: str, position: int, new: str) -> str:
    """The lines around what was put in."""
    lines = text.split("\n")
    middle = _line_of(text, position) + new.count("\n") // 2
    first = max(1, min(middle - EXCERPT_LINES // 2, len(lines) - EXCERPT_LINES + 1))
    return files.numbered(lines[first - 1 :][:EXCERPT_LINES], first)


def _many_matches(path: str, text: str, old: str) -> str:
    numbers, position = list[str](), text.find(old)
    while position >= 0 and len(numbers) < 20:
        numbers.append(str(_line_of(text, position)))
        position = text.find(old, position + len(old))
    return (
        f"old matches {text.count(old)} times in {path}, at lines {', '.join(numbers)}. "
        "Give more of what is around the one you mean, or set replace_all."
    )


def _no_match(path: str, text: str, old: str) -> str:
    """What is nearest to the first line of *old* that says something."""
    wanted = next((line.strip() for line in old.split("\n") if line.strip()), "")
    lines = text.split("\n")
    stripped = [line.strip()[:COMPARED_CHARS] for line in lines[:SEARCHED_LINES]]
    near = difflib.get_close_matches(wanted[:COMPARED_CHARS], stripped, n=3, cutoff=0.6)
    numbers = sorted({number for number, line in enumerate(stripped) if line in near})[:3]
    if not numbers:
        return f"old does not occur in {path}, nor anything like it; view the file first."
    height = min(old.count("\n") + 1, EXCERPT_LINES)
    quotes = [files.numbered(lines[number : number + height], number + 1) for number in numbers]
    hint = "The text is there but its whitespace differs. " if wanted in near else ""
    return f"old does not occur in {path}. {hint}The nearest lines are:\n" + "\n…\n".join(quotes)

"""The tool glob: the files of the repository whose path matches, newest first."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.tools import files
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, ToolError, make_tool
from journeyman.sandbox import Sandbox

SHOWN = 200
TIMEOUT_SECONDS = 60.0
NOTHING_FOUND, NOT_INSTALLED = 1, 127


class Pattern(Arguments):
    """List files whose path matches, the last changed first; ignored files are left out."""

    pattern: str = Field(
        min_length=1, description="Such as **/*.py, src/**/test_*, *.{ts,tsx}; relative to path."
    )
    path: str = Field(default=".", description="The directory to look in.")


def tool(box: Sandbox) -> Tool:
    async def run(arguments: Pattern, on_partial: OnPartial) -> Result:
        found = await files.find(box, arguments.path)
        if found is None or found.type != "d":
            raise ToolError(f"{arguments.path} is not a directory.")
        command = ["rg", "--no-config", "--files", "--hidden", "--sortr=modified", "--glob=!.git"]
        ended = await box.exec(
            [*command, f"--glob={arguments.pattern}", "./"],
            cwd=files.absolute(arguments.path),
            timeout_seconds=TIMEOUT_SECONDS,
        )
        output = ended.output.decode(errors="replace")
        if ended.timed_out:
            raise ToolError(f"It took more than {TIMEOUT_SECONDS:.0f} s; look in a subdirectory.")
        if ended.exit_code == NOT_INSTALLED:
            raise ToolError("ripgrep is not installed in this sandbox; use bash with find.")
        if ended.exit_code > NOTHING_FOUND:
            raise ToolError(output.strip() or f"rg ended with {ended.exit_code}.")
        return Result(_listing(output.splitlines(), arguments))

    return make_tool("glob", Pattern, run, read_only=True)


def _listing(lines: list[str], arguments: Pattern) -> str:
    if not lines:
        return f"No file matches {arguments.pattern!r} in {arguments.path}."
    prefix = "" if arguments.path in (".", "./") else f"{arguments.path.rstrip('/')}/"
    shown = [prefix + line.removeprefix("./") for line in lines[:SHOWN]]
    if len(lines) > SHOWN:
        shown.append(f"[… {len(lines) - SHOWN} more: narrow the pattern or the path]")
    return "\n".join(shown)

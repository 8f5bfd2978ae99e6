"""The tool search: ripgrep over the repository, in the sandbox."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from journeyman.agent.tools import files
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, ToolError, make_tool
from journeyman.sandbox import ExecResult, Sandbox

HITS = 200
TIMEOUT_SECONDS = 60.0
COLUMNS = 300
NOTHING_FOUND, NOT_INSTALLED = 1, 127


class Query(Arguments):
    """Search the files of the repository with ripgrep; ignored files are left out."""

    pattern: str = Field(min_length=1, description="A regular expression in Rust's syntax.")
    path: str = Field(default=".", description="A file or directory to search in.")
    glob: str | None = Field(default=None, description="Only files that match, such as *.py.")
    mode: Literal["content", "files", "count"] = Field(
        default="content", description="Matching lines, names of files, or matches per file."
    )
    context: int = Field(default=0, ge=0, le=10, description="Lines around each match.")
    ignore_case: bool = False


def tool(box: Sandbox) -> Tool:
    async def run(arguments: Query, on_partial: OnPartial) -> Result:
        ended = await box.exec(_command(arguments), timeout_seconds=TIMEOUT_SECONDS)
        return Result(_found(ended, arguments.pattern))

    return make_tool("search", Query, run, read_only=True)


def _command(query: Query) -> list[str]:
    command = ["rg", "--no-config", "--color=never", "--hidden", "--glob=!.git", "--sort=path"]
    match query.mode:
        case "files":
            command.append("--files-with-matches")
        case "count":
            command += ["--count-matches", "--with-filename"]
        case "content":
            command += ["--no-heading", "--with-filename", "--line-number"]
            command += [f"--max-columns={COLUMNS}", "--max-columns-preview"]
            command += [f"--context={query.context}"]
    if query.ignore_case:
        command.append("--ignore-case")
    if query.glob:
        command.append(f"--glob={query.glob}")
    path = query.path if not query.path.startswith("/") else files.absolute(query.path)
    return [*command, f"--regexp={query.pattern}", "--", path]


def _found(ended: ExecResult, pattern: str) -> str:
    output = ended.output.decode(errors="replace")
    if ended.timed_out:
        raise ToolError(
            f"The search took more than {TIMEOUT_SECONDS:.0f} s; narrow it by path or glob."
        )
    if ended.exit_code == NOT_INSTALLED:
        raise ToolError("ripgrep is not installed in this sandbox; use bash with grep -rn.")
    lines = output.splitlines()
    if ended.exit_code == NOTHING_FOUND and not lines:
        return f"Nothing matches {pattern!r}."
    if ended.exit_code > NOTHING_FOUND and len(lines) <= 10:
        raise ToolError(output.strip() or f"rg ended with {ended.exit_code}.")
    shown = [line.removeprefix("./") for line in lines[:HITS]]
    if len(lines) > HITS or ended.truncated:
        left = f"{len(lines) - HITS}" if not ended.truncated else "many"
        shown.append(f"[… {left} more lines: narrow the pattern, the path or the glob]")
    return "\n".join(shown)

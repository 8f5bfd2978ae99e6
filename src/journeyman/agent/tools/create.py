"""The tool create: write a whole file."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.tools import files
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, ToolError, make_tool
from journeyman.sandbox import Sandbox


class NewFile(Arguments):
    """Create a file with the given content, and the directories above it."""

    path: str = Field(min_length=1, description="From the root of the repository, or absolute.")
    content: str = Field(description="The whole content.")
    overwrite: bool = Field(default=False, description="Replace the file when there is one.")


def tool(box: Sandbox) -> Tool:
    async def run(arguments: NewFile, on_partial: OnPartial) -> Result:
        found = await files.find(box, arguments.path)
        if found is not None and found.type != "f":
            raise ToolError(f"{arguments.path} is there and is not a regular file.")
        if found is not None and not arguments.overwrite:
            raise ToolError(f"{arguments.path} exists; edit it, or set overwrite.")
        try:
            data = arguments.content.encode()
        except UnicodeEncodeError as error:
            raise ToolError(f"content cannot be written as UTF-8: {error.reason}.") from error
        mode = 0o644 if found is None else found.mode
        await files.write(box, arguments.path, data, mode=mode)
        done = "Created" if found is None else "Replaced"
        lines = arguments.content.count("\n") + (not arguments.content.endswith("\n"))
        text = f"{done} {arguments.path}: {lines} lines, {len(data)} bytes."
        return Result(text, paths=files.touched(arguments.path))

    return make_tool("create", NewFile, run)

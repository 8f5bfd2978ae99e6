"""The tool apply_patch: changes to several files at once, all or none of them."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from journeyman.agent import patches
from journeyman.agent.patches import Change, PatchError
from journeyman.agent.tools import files
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, ToolError, make_tool
from journeyman.sandbox import Sandbox

TOLD = {"add": "A", "delete": "D", "update": "M"}


class Patch(Arguments):
    """Change several files with one patch; nothing is changed when a part of it does not fit.

    *** Begin Patch
    *** Update File: src/a.py
    @@ def f():
     context
    -old line
    +new line
    *** Add File: src/b.py
    +content
    *** Delete File: src/c.py
    *** End Patch
    """

    patch: str = Field(min_length=1, description="From *** Begin Patch to *** End Patch.")


@dataclass(frozen=True)
class _Write:
    """What is to be at a path afterwards; None: nothing."""

    path: str
    content: bytes | None
    mode: int = 0o644


def tool(box: Sandbox) -> Tool:
    async def run(arguments: Patch, on_partial: OnPartial) -> Result:
        try:
            changes = patches.parse(arguments.patch)
            writes = [write for change in changes for write in await _writes(box, change)]
        except PatchError as error:
            raise ToolError(f"{error}\nNothing was changed.") from error
        for write in writes:
            await _carry_out(box, write)
        told = [f"{TOLD[change.kind]} {change.moved_to or change.path}" for change in changes]
        paths = [path for change in changes for path in files.touched(change.path)]
        text = "Success. Updated the following files:\n" + "\n".join(told)
        return Result(text, paths=tuple(paths))

    return make_tool("apply_patch", Patch, run)


async def _writes(box: Sandbox, change: Change) -> list[_Write]:
    found = await files.find(box, change.path)
    if change.kind == "add":
        if found is not None:
            raise ToolError(f"{change.path} exists; update it instead. Nothing was changed.")
        return [_Write(change.path, _encoded(change.content))]
    if found is None or found.type != "f":
        raise ToolError(f"There is no file {change.path}. Nothing was changed.")
    if change.kind == "delete":
        return [_Write(change.path, None)]
    text = (await files.read(box, change.path)).decode(errors="surrogateescape")
    content = _encoded(patches.apply(change, text))
    if change.moved_to is None:
        return [_Write(change.path, content, found.mode)]
    if await files.find(box, change.moved_to) is not None:
        raise ToolError(f"{change.moved_to} exists. Nothing was changed.")
    return [_Write(change.moved_to, content, found.mode), _Write(change.path, None)]


def _encoded(text: str) -> bytes:
    try:
        return text.encode(errors="surrogateescape")
    except UnicodeEncodeError as error:
        raise PatchError(f"it has a character that UTF-8 cannot hold: {error.reason}") from error


async def _carry_out(box: Sandbox, write: _Write) -> None:
    if write.content is not None:
        await files.write(box, write.path, write.content, mode=write.mode)
        return
    ended = await box.exec(["rm", "-f", "--", files.absolute(write.path)], timeout_seconds=30.0)
    if ended.exit_code != 0:
        said = ended.output.decode(errors="replace").strip()
        raise ToolError(f"{write.path} could not be deleted: {said}")

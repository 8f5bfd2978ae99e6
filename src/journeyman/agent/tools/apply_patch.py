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
        made = _Made(box)
        try:
            changes = patches.parse(arguments.patch)
            for change in changes:
                await made.add(change)
        except PatchError as error:
            raise ToolError(f"{error}\nNothing was changed.") from error
        for write in made.writes.values():
            await _carry_out(box, write)
        told = [f"{TOLD[change.kind]} {change.moved_to or change.path}" for change in changes]
        paths = [path for change in changes for path in files.touched(change.path)]
        text = "Success. Updated the following files:\n" + "\n".join(told)
        return Result(text, paths=tuple(paths))

    return make_tool("apply_patch", Patch, run)


class _Made:
    """What a patch makes of the files, change by change: a later one finds what an earlier one has
    made of its file."""

    def __init__(self, box: Sandbox) -> None:
        self.writes: dict[str, _Write] = {}
        """By the absolute path."""
        self._box = box

    async def add(self, change: Change) -> None:
        """Raises PatchError, ToolError."""
        if change.kind == "add":
            if await self._is_there(change.path):
                raise ToolError(f"{change.path} exists; update it instead. Nothing was changed.")
            self._write(change.path, _encoded(change.content))
            return
        if change.kind == "delete":
            await self._require_file(change.path)
            self._write(change.path, None)
            return
        content, mode = await self._before(change.path)
        changed = _encoded(patches.apply(change, content.decode(errors="surrogateescape")))
        if change.moved_to is None:
            self._write(change.path, changed, mode)
            return
        if await self._is_there(change.moved_to):
            raise ToolError(f"{change.moved_to} exists. Nothing was changed.")
        self._write(change.moved_to, changed, mode)
        self._write(change.path, None)

    def _write(self, path: str, content: bytes | None, mode: int = 0o644) -> None:
        self.writes[files.absolute(path)] = _Write(path, content, mode)

    async def _is_there(self, path: str) -> bool:
        made = self.writes.get(files.absolute(path))
        if made is not None:
            return made.content is not None
        return await files.find(self._box, path) is not None

    async def _before(self, path: str) -> tuple[bytes, int]:
        """The content and the mode of a file that is to be changed."""
        mode = await self._require_file(path)
        made = self.writes.get(files.absolute(path))
        if made is not None and made.content is not None:
            return made.content, mode
        return await files.read(self._box, path), mode

    async def _require_file(self, path: str) -> int:
        """Its mode."""
        made = self.writes.get(files.absolute(path))
        if made is not None and made.content is not None:
            return made.mode
        found = None if made is not None else await files.find(self._box, path)
        if found is None or found.type != "f":
            raise ToolError(f"There is no file {path}. Nothing was changed.")
        return found.mode


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

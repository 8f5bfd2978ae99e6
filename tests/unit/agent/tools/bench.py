"""What the tools' tests share: a real sandbox, and a tool called as the loop calls it."""

from __future__ import annotations

from typing import Any

from pydantic_ai.messages import ToolCallPart

from journeyman.agent.tools import Jobs, Result, ToolError, tools_for
from journeyman.sandbox import WORKSPACE, Sandbox


async def refuse(commit_message: str, pr_description: str) -> str:
    raise ToolError("nothing to commit")


class Bench:
    """The tools of one sandbox, and its files."""

    def __init__(self, box: Sandbox) -> None:
        self.box = box
        self.jobs = Jobs(box)
        self.tools = tools_for(box, self.jobs, report_progress=refuse, allow_ask=True)
        self.live: list[bytes] = []

    async def call(self, name: str, **arguments: Any) -> Result:
        tool = self.tools.find(name)
        assert tool is not None
        return await tool.run(tool.parse(ToolCallPart(name, arguments)), self.live.append)

    async def text(self, name: str, **arguments: Any) -> str:
        return (await self.call(name, **arguments)).text

    async def error(self, name: str, **arguments: Any) -> str:
        """What the tool says when it cannot."""
        try:
            result = await self.call(name, **arguments)
        except ToolError as error:
            return str(error)
        raise AssertionError(f"{name} succeeded: {result.text}")

    async def put(self, path: str, content: str | bytes, mode: int = 0o644) -> None:
        data = content.encode() if isinstance(content, str) else content
        await self.box.write(f"{WORKSPACE}/{path}", data, mode=mode)

    async def get(self, path: str) -> bytes:
        return await self.box.read(f"{WORKSPACE}/{path}")

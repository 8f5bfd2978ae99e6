"""The tool skill: what the repository's maintainers wrote about how to do a certain thing."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from journeyman.agent.customisation import skills
from journeyman.agent.customisation.skills import Skill
from journeyman.agent.tools.toolbox import (
    Arguments,
    OnPartial,
    Result,
    Tool,
    ToolError,
    make_tool,
)


class Wanted(Arguments):
    """Read one of the repository's skills: its maintainers' way to do a certain thing.

    Call it before you do what a skill's description is about, then follow it.
    """

    name: str = Field(min_length=1, description="One of the skills you were told of.")


def tool(known: Sequence[Skill]) -> Tool:
    async def run(arguments: Wanted, on_partial: OnPartial) -> Result:
        skill = skills.find(known, arguments.name)
        if skill is None:
            names = ", ".join(one.name for one in known)
            raise ToolError(f"There is no skill {arguments.name!r}; there are: {names}.")
        where = f"[Its scripts and other files are in {skill.directory}/ of the repository.]"
        return Result(f"{skill.text}\n\n{where}", paths=(skill.path,))

    return make_tool("skill", Wanted, run, read_only=True)

"""The tool task: a part of the work for a sub-agent with a conversation of its own.

The loop does the work, turn by turn; here is only who there is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import Field

from journeyman.agent.tools.toolbox import (
    Arguments,
    Delegation,
    OnPartial,
    Result,
    Tool,
    Toolbox,
    ToolError,
    make_tool,
)

GENERAL = "general"


@dataclass(frozen=True)
class Helper:
    """A sub-agent that can be called."""

    description: str
    instructions: str
    """Its system prompt."""
    allows: Callable[[str], bool] = lambda tool: True
    """Which of the tools it gets, by name."""


class Task(Arguments):
    """Give a part of the work to a sub-agent and get its last message.

    It has tools and a conversation of its own, and knows nothing of yours: say everything it needs,
    and what to answer. For searches that read a lot, and for parts that stand alone; several in one
    reply work at the same time, so they must not change the same files.
    """

    description: str = Field(min_length=1, max_length=100, description="About five words.")
    prompt: str = Field(min_length=1, description="What to do, and what to report.")
    agent: str = GENERAL


def tool(helpers: Mapping[str, Helper], hands: Toolbox) -> Tool:
    """*hands*: what a sub-agent can have."""

    def delegate(arguments: Task) -> Delegation | None:
        helper = helpers.get(arguments.agent)
        if helper is None:
            return None
        tools = hands.only(helper.allows)
        return Delegation(helper.instructions, tools, arguments.prompt, arguments.agent)

    async def run(arguments: Task, on_partial: OnPartial) -> Result:
        raise ToolError(f"There is no agent {arguments.agent!r}; there are: {', '.join(helpers)}.")

    made = make_tool("task", Task, run, read_only=True, delegate=delegate)
    agents = made.definition.parameters_json_schema["properties"]["agent"]
    agents["enum"] = list(helpers)
    agents["description"] = " ".join(f"{name}: {one.description}" for name, one in helpers.items())
    return made

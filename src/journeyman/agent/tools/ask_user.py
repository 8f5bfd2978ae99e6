"""The tool ask_user: a question that only the user can answer. The loop does the waiting."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.tools.toolbox import (
    Arguments,
    Asking,
    OnPartial,
    Result,
    Tool,
    ToolError,
    make_tool,
)


class Inquiry(Arguments):
    """Ask the user and wait for the answer, which may take days.

    Only for what neither the repository nor common sense decides. Must be the only call of a reply.
    """

    question: str = Field(min_length=1)
    options: list[str] = Field(default=[], max_length=6, description="Answers to choose from.")
    allow_text: bool = Field(default=True, description="Whether a free answer is welcome.")


def tool() -> Tool:
    async def run(arguments: Inquiry, on_partial: OnPartial) -> Result:
        raise ToolError("ask_user must be the only call of a reply; ask again by itself.")

    return make_tool("ask_user", Inquiry, run, read_only=True, ask=_asking)


def _asking(arguments: Inquiry) -> Asking:
    freely = arguments.allow_text or not arguments.options
    return Asking(arguments.question, tuple(arguments.options), freely)

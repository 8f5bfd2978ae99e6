"""The tool report_progress: commit what there is and show it to the user."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from pydantic import Field

from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, make_tool

ReportProgress = Callable[[str, str], Awaitable[str]]
"""Commits, with a message and a description of the pull request (may be empty); what it did.

Raises ToolError for what the model can mend; any other exception ends the turn.
"""


class Progress(Arguments):
    """Commit all changes of the working tree and report them to the user.

    The only way to deliver work. Call it after each milestone and when the task is done.
    """

    commit_message: str = Field(min_length=1, description="One line, imperative.")
    pr_description: str = Field(
        default="",
        description="The pull request's description: a Markdown checklist of the plan. A heading "
        "`# …` on its first line is the title.",
    )


def tool(report: ReportProgress) -> Tool:
    async def run(arguments: Progress, on_partial: OnPartial) -> Result:
        return Result(await report(arguments.commit_message, arguments.pr_description))

    return make_tool("report_progress", Progress, run, service=True)

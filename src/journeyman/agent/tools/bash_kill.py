"""The tool bash_kill: the end of a job."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.tools import bash_wait
from journeyman.agent.tools.jobs import Jobs
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, make_tool


class Kill(Arguments):
    """End a job of bash, with every process that it started."""

    job: int = Field(ge=1, description="Its number, as bash told it.")


def tool(jobs: Jobs) -> Tool:
    async def run(arguments: Kill, on_partial: OnPartial) -> Result:
        job = jobs.find(arguments.job)
        if job is None:
            return bash_wait.unknown(arguments.job)
        await jobs.kill(job)
        output, _ = job.take_unseen()
        text = output.decode(errors="replace")
        if text and not text.endswith("\n"):
            text += "\n"
        details = {"job": job.number, "running": False}
        return Result(
            f"{text}[job {job.number} was ended after {job.seconds:.0f} s]", True, details
        )

    return make_tool("bash_kill", Kill, run)

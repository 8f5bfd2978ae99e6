"""The tool bash_wait: what a job has printed meanwhile, and how it ended."""

from __future__ import annotations

from pydantic import Field

from journeyman.agent.tools import bash
from journeyman.agent.tools.jobs import Jobs
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, make_tool


class Wait(Arguments):
    """Wait for a job of bash, and show what it has printed since the last look."""

    job: int = Field(ge=1, description="Its number, as bash told it.")
    wait: int = Field(default=60, ge=0, le=600, description="Seconds to wait for its end.")


def tool(jobs: Jobs) -> Tool:
    async def run(arguments: Wait, on_partial: OnPartial) -> Result:
        job = jobs.find(arguments.job)
        if job is None:
            return unknown(arguments.job)
        ended = await job.watch(float(arguments.wait), on_partial)
        if ended is None:
            return bash.with_news(bash.going_on(job), jobs)
        output, truncated = job.take_unseen()
        jobs.forget(job)
        told = bash.end(ended, output, truncated, job=job.number)
        return bash.with_news(told, jobs)

    return make_tool("bash_wait", Wait, run)


def unknown(number: int) -> Result:
    text = (
        f"There is no job {number}: its end was told before, or it was lost with its machine. "
        "Look at what it left, and begin it again if it is still needed."
    )
    return Result(text, success=False, details={"job": number, "running": False, "lost": True})

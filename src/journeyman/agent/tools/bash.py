"""The tool bash: one command in the sandbox, in a fresh shell; a long one goes on as a job."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from journeyman.agent.tools.jobs import Job, Jobs
from journeyman.agent.tools.toolbox import Arguments, OnPartial, Result, Tool, make_tool
from journeyman.sandbox import Blocked, ExecResult

BACKGROUND_SECONDS = 1.0
"""How long a command in the background is watched: one that fails at once is told at once."""
BLOCKED_SHOWN = 10


class Command(Arguments):
    """Run a bash command at the root of the repository and wait for its end.

    Each call is a fresh shell: `cd` and variables do not last, files and jobs do. There is no input
    and no terminal, so use flags that answer questions beforehand. Output past 30,000 characters
    loses its middle: narrow it with grep, head or tail.
    """

    command: str = Field(min_length=1, description="The command, as bash reads it.")
    timeout: int = Field(
        default=120,
        ge=1,
        le=600,
        description="Seconds to wait; then it goes on as a job, for bash_wait and bash_kill.",
    )
    background: bool = Field(
        default=False, description="Make it a job at once: servers, watchers, long builds."
    )


def tool(jobs: Jobs) -> Tool:
    async def run(arguments: Command, on_partial: OnPartial) -> Result:
        seconds = BACKGROUND_SECONDS if arguments.background else float(arguments.timeout)
        job, ended = await jobs.run(arguments.command, seconds, on_partial)
        told = going_on(job) if ended is None else end(ended, ended.output, ended.truncated)
        return with_news(told, jobs)

    return make_tool("bash", Command, run)


def going_on(job: Job) -> Result:
    """What a running job has printed since the last look."""
    output, truncated = job.take_unseen()
    said = (
        f"still running after {job.seconds:.0f} s as job {job.number}; "
        "bash_wait shows what it prints next, bash_kill ends it"
    )
    return Result(
        text=f"{_lines(output)}[{said}{_lost(truncated)}]",
        details={"job": job.number, "running": True},
    )


def end(ended: ExecResult, output: bytes, truncated: bool, *, job: int | None = None) -> Result:
    """How a command ended, and *output* of it."""
    said = f"exit {ended.exit_code}, {ended.seconds:.1f} s{_lost(truncated)}"
    details: dict[str, object] = {"exitCode": ended.exit_code}
    if job is not None:
        said = f"job {job} ended: {said}"
        details |= {"job": job, "running": False}
    return Result(
        text=f"{_lines(output)}{_blocked(ended.blocked)}[{said}]",
        success=ended.exit_code == 0,
        details=details,
    )


def with_news(told: Result, jobs: Jobs) -> Result:
    """*told*, and which other jobs have ended meanwhile."""
    lines = [
        f"\n[job {job.number} has ended meanwhile; bash_wait shows how]" for job in jobs.news()
    ]
    return Result(told.text + "".join(lines), told.success, told.details)


def _lines(output: bytes) -> str:
    text = output.decode(errors="replace")
    return text if not text or text.endswith("\n") else f"{text}\n"


def _lost(truncated: bool) -> str:
    return "; the middle of more than 1 MB of output is lost" if truncated else ""


def _blocked(blocked: Sequence[Blocked]) -> str:
    """What the firewall refused, which the command's own words may hide."""
    lines = [
        f"[the firewall blocked {one.host}{f':{one.port}' if one.port else ''} ({one.method}"
        f"{f', {one.count} times' if one.count > 1 else ''}): it {one.reason}]\n"
        for one in blocked[:BLOCKED_SHOWN]
    ]
    if len(blocked) > BLOCKED_SHOWN:
        lines.append(f"[and {len(blocked) - BLOCKED_SHOWN} more places]\n")
    return "".join(lines)

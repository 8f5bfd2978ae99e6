"""Commands that outlive the call that began them, and the output that nobody has seen yet.

A job lives as long as its sandbox. Knows nothing of the log.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from journeyman.agent.tools.toolbox import OnPartial, ToolError
from journeyman.domain.bounded import Bounded
from journeyman.sandbox import ExecResult, Sandbox

ENVIRONMENT = {
    "CI": "1",
    "PAGER": "cat",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_TERMINAL_PROMPT": "0",
    "DEBIAN_FRONTEND": "noninteractive",
    # Bytecode is matched by whole seconds and size: a quick fix would be tested in its old form.
    "PYTHONDONTWRITEBYTECODE": "1",
}
OUTPUT_BYTES = 1 << 20
MOST = 16
"""Running at the same time."""


@dataclass
class Job:
    """One command, running or ended."""

    command: str
    number: int = 0
    """From when on it is a job."""
    unseen: Bounded = field(default_factory=lambda: Bounded(OUTPUT_BYTES))
    listener: OnPartial | None = None
    """Who watches its output now."""
    began: float = field(default_factory=time.monotonic)
    ended: asyncio.Future[ExecResult] = field(init=False)
    told: bool = False
    """True when the model knows that it has ended."""

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def hear(self, data: bytes) -> None:
        self.unseen.add(data)
        if self.listener is not None:
            self.listener(data)

    def take_unseen(self) -> tuple[bytes, bool]:
        """What it has printed since the last look, and whether that lacks its middle."""
        taken, self.unseen = self.unseen, Bounded(OUTPUT_BYTES)
        return taken.content(), taken.truncated

    async def watch(self, seconds: float, on_partial: OnPartial) -> ExecResult | None:
        """Its end, if it comes within *seconds*. Raises SandboxLost."""
        self.listener = on_partial
        try:
            await asyncio.wait([self.ended], timeout=seconds)
        finally:
            self.listener = None
        return self.ended.result() if self.ended.done() else None


class Jobs:
    """The commands of one sandbox that have not ended, or whose end was not told yet."""

    def __init__(self, box: Sandbox, *, begun: int = 0, most: int = MOST) -> None:
        """*begun*: how many this session has had in sandboxes before this one; *most*: at once."""
        self._most = most
        self._box = box
        self._begun = begun
        self._jobs: dict[int, Job] = {}

    async def run(
        self, command: str, seconds: float, on_partial: OnPartial
    ) -> tuple[Job, ExecResult | None]:
        """Begin *command*; its end, or None when it goes on as a job after *seconds*.

        Cancelling ends it.
        """
        running = [job for job in self._jobs.values() if not job.ended.done()]
        if len(running) >= self._most:
            numbers = ", ".join(str(job.number) for job in running)
            raise ToolError(
                f"{len(running)} jobs are running ({numbers}); wait for one, "
                "or end one with bash_kill."
            )
        job = Job(command)
        job.ended = asyncio.ensure_future(
            self._box.exec(command, env=ENVIRONMENT, limit_bytes=OUTPUT_BYTES, on_output=job.hear)
        )
        try:
            ended = await job.watch(seconds, on_partial)
        except BaseException:
            await _end(job)
            raise
        if ended is None:
            # Only now: sub-agents may have begun others meanwhile.
            self._begun += 1
            job.number = self._begun
            self._jobs[job.number] = job
        return job, ended

    def find(self, number: int) -> Job | None:
        return self._jobs.get(number)

    async def kill(self, job: Job) -> None:
        """End it, with all that it started."""
        await _end(job)
        self.forget(job)

    def forget(self, job: Job) -> None:
        self._jobs.pop(job.number, None)

    def news(self) -> list[Job]:
        """Those that have ended since the last time, each once."""
        fresh = [job for job in self._jobs.values() if job.ended.done() and not job.told]
        for job in fresh:
            job.told = True
        return fresh

    async def close(self) -> None:
        """End all; never raises."""
        for job in list(self._jobs.values()):
            await self.kill(job)


async def _end(job: Job) -> None:
    job.ended.cancel()
    await asyncio.wait([job.ended])
    if not job.ended.cancelled():
        job.ended.exception()  # the loss of a sandbox is told by whoever uses it next

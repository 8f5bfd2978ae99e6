"""Commands that take longer than a call: bash, bash_wait and bash_kill, in a real sandbox."""

from __future__ import annotations

import asyncio

import pytest

from journeyman.agent.tools import Jobs, ToolError
from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


async def test_a_long_command_becomes_a_job_and_goes_on(bench: Bench) -> None:
    command = "echo begun; while [ ! -e go ]; do sleep 0.05; done; echo more; exit 3"
    begun = await bench.call("bash", command=command, timeout=1)
    await bench.put("go", "")
    ended = await bench.call("bash_wait", job=1, wait=30)

    assert begun.text.startswith("begun\n[still running after 1 s as job 1; bash_wait")
    assert begun.details == {"job": 1, "running": True}
    assert ended.text.startswith("more\n[job 1 ended: exit 3, ")
    assert not ended.success
    assert ended.details == {"exitCode": 3, "job": 1, "running": False}


async def test_a_command_in_the_background_that_fails_at_once_is_told_at_once(bench: Bench) -> None:
    text = await bench.text("bash", command="no-such-server --port 1", background=True)

    assert "no-such-server: command not found" in text
    assert "[exit 127" in text


async def test_waiting_shows_only_what_is_new_and_while_it_comes(bench: Bench) -> None:
    await bench.call("bash", command="echo one; cat < pipe; sleep 60", timeout=1)
    # the pipe does not exist: `cat` fails, and the job sleeps on
    bench.live.clear()
    first = await bench.text("bash_wait", job=1, wait=0)
    second = await bench.text("bash_wait", job=1, wait=0)

    assert first.startswith("[still running after")
    assert second.startswith("[still running after")
    assert bench.live == []


async def test_killing_a_job_ends_all_that_it_started(bench: Bench) -> None:
    command = "echo up; (while :; do sleep 0.02; touch alive; done) & wait"
    await bench.call("bash", command=command, background=True)

    told = await bench.call("bash_kill", job=1)
    await bench.call("bash", command="rm -f alive; sleep 0.3; touch looked")

    assert "[job 1 was ended after" in told.text
    assert (await bench.text("bash", command="ls")).startswith("looked\n[exit 0")
    assert "There is no job 1" in await bench.text("bash_kill", job=1)


async def test_the_end_of_a_job_is_mentioned_with_the_next_command_once(bench: Bench) -> None:
    await bench.call("bash", command="sleep 1.2", timeout=1)
    while not (job := bench.jobs.find(1)) or not job.ended.done():
        await asyncio.sleep(0.02)

    assert "[job 1 has ended meanwhile" in await bench.text("bash", command="true")
    assert "ended meanwhile" not in await bench.text("bash", command="true")
    assert "[job 1 ended: exit 0" in await bench.text("bash_wait", job=1)


async def test_a_job_that_is_not_there_is_told_as_lost(bench: Bench) -> None:
    result = await bench.call("bash_wait", job=7)

    assert "There is no job 7" in result.text
    assert result.details["lost"] is True


async def test_commands_of_one_time_become_different_jobs(bench: Bench) -> None:
    begun = await asyncio.gather(
        *(bench.call("bash", command="sleep 60", background=True) for _ in range(3))
    )

    assert sorted(one.details["job"] for one in begun) == [1, 2, 3]
    for number in (1, 2, 3):
        assert (await bench.call("bash_kill", job=number)).details["job"] == number


async def test_too_many_jobs_are_refused(bench: Bench) -> None:
    jobs = Jobs(bench.box, most=1)
    await jobs.run("sleep 60", 0.1, bench.live.append)

    with pytest.raises(ToolError, match=r"1 jobs are running \(1\); wait for one"):
        await jobs.run("sleep 60", 0.1, bench.live.append)
    await jobs.close()


async def test_cancelling_a_call_ends_its_command(bench: Bench) -> None:
    running = asyncio.create_task(bench.call("bash", command="echo up; sleep 60; touch late"))
    async with asyncio.timeout(10):
        while not bench.live:
            await asyncio.sleep(0.01)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert "sleep" not in await bench.text("bash", command="ps -eo comm= || true")
    assert bench.jobs.find(1) is None


async def test_a_job_that_floods_keeps_its_head_and_tail(bench: Bench) -> None:
    command = "echo first; yes | head -c 100000000; echo last; sleep 60"
    text = await bench.text("bash", command=command, timeout=5)

    assert text.startswith("first\n")
    assert "last\n[still running" in text
    assert "the middle of more than 1 MB of output is lost" in text
    assert len(text) < 1_200_000

"""The tool bash, in a real sandbox."""

from __future__ import annotations

import pytest

from tests.unit.agent.tools.bench import Bench

pytestmark = pytest.mark.sandbox


async def test_output_and_exit_code_are_told(bench: Bench) -> None:
    result = await bench.call("bash", command="echo out; echo err >&2")

    assert result.text.startswith("out\nerr\n[exit 0, ")
    assert result.success
    assert result.details == {"exitCode": 0}


async def test_a_failing_command_is_a_result_not_an_error(bench: Bench) -> None:
    result = await bench.call("bash", command="printf partial; exit 7")

    assert result.text.startswith("partial\n[exit 7, ")
    assert not result.success
    assert result.details["exitCode"] == 7


async def test_each_call_is_a_fresh_shell_at_the_root_of_the_repository(bench: Bench) -> None:
    await bench.call("bash", command="cd /tmp; X=1; touch /workspace/kept")

    assert (await bench.text("bash", command="pwd; echo [$X]; ls")).startswith(
        "/workspace\n[]\nkept\n"
    )


async def test_output_is_seen_while_it_comes(bench: Bench) -> None:
    await bench.call("bash", command="echo one; sleep 0.2; echo two")

    assert b"".join(bench.live) == b"one\ntwo\n"
    assert len(bench.live) >= 2


async def test_output_that_is_no_text_is_shown_as_well_as_it_can_be(bench: Bench) -> None:
    text = await bench.text("bash", command="printf 'a\\377\\000b'")

    assert text.startswith("a\ufffd\0b\n[exit 0")


async def test_of_100_megabytes_of_output_the_middle_is_lost(bench: Bench) -> None:
    text = await bench.text("bash", command="echo first; yes | head -c 100000000; echo last")

    assert text.startswith("first\n")
    assert "last\n[exit 0" in text
    assert "the middle of more than 1 MB of output is lost" in text
    assert len(text) < 1_200_000


async def test_nothing_waits_for_input(bench: Bench) -> None:
    result = await bench.call("bash", command="cat; git --version >/dev/null; echo $PAGER $CI")

    assert result.text.startswith("cat 1\n[exit 0")

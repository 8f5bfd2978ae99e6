"""The built-in model: what it takes for a block, in which order it runs them, when it stops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelRequestPart,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.tools import ToolDefinition

from journeyman.domain.sessions import Reason
from journeyman.llm import Reply
from journeyman.llm.script import MAX_INTERRUPTIONS, Block, Script, blocks_of

TOOLS = ("bash", "bash_wait", "report_progress")
OK = {"exitCode": 0}


class Talk:
    """A conversation with the script."""

    def __init__(self, prompt: str, tools: tuple[str, ...] = TOOLS) -> None:
        self.messages: list[ModelMessage] = [ModelRequest(parts=[UserPromptPart(prompt)])]
        self.tools = [ToolDefinition(name=name) for name in tools]

    async def reply(self) -> Reply:
        answer = await Script().reply(self.messages, self.tools, on_delta=lambda delta: None)
        self.messages.append(answer.message)
        return answer

    async def call(self) -> tuple[str, dict[str, Any]]:
        (call,) = (await self.reply()).message.tool_calls
        self.newest = call
        return call.tool_name, call.args_as_dict()

    def result(
        self, details: Mapping[str, Any] | None = OK, *, also: str = "", **more: Any
    ) -> None:
        part = ToolReturnPart(
            self.newest.tool_name, "…", self.newest.tool_call_id, metadata=details, **more
        )
        parts: list[ModelRequestPart] = [part]
        if also:
            parts.append(UserPromptPart(also))
        self.messages.append(ModelRequest(parts=parts))


@pytest.mark.parametrize(
    ("text", "blocks"),
    [
        ("```sh\nls\n```", ["ls"]),
        ("```bash\nls\n```\nthen\n~~~shell\npwd\n~~~", ["ls", "pwd"]),
        ("``` SH title=x\nls\n```", ["ls"]),
        ("```\nls\n```", []),
        ("```python\nls\n```", []),
        ("```sh\n\n```", []),
        ("````sh\ncat <<E\n```\nE\n````", ["cat <<E\n```\nE"]),
        ("````markdown\n```sh\nls\n```\n````", []),
        ("1. first\n   ```sh\n   if true\n     ls\n   ```", ["if true\n  ls"]),
        ("```sh\r\nls\r\npwd\r\n```\r\n", ["ls\npwd"]),
        ("```sh\nls", ["ls"]),
        ("see ```sh``` for this", []),
        ("no block at all", []),
    ],
)
def test_blocks_are_found_as_markdown_has_them(text: str, blocks: list[str]) -> None:
    assert [block.body for block in blocks_of(text)] == blocks


def test_ask_is_a_block_of_its_own_kind() -> None:
    assert list(blocks_of("```ask\nWhich?\n```")) == [Block("ask", "Which?")]


def test_a_hundred_thousand_open_fences_take_no_time() -> None:
    assert len(list(blocks_of("```sh\n" * 50_000))) == 1


async def test_blocks_run_in_order_then_progress_is_reported_then_it_ends() -> None:
    talk = Talk("# Rename a thing\n```sh\nmv a b\n```\n```sh\nmake test\n```")

    name, arguments = await talk.call()
    assert (name, arguments["command"]) == ("bash", "mv a b")
    talk.result()
    assert (await talk.call())[1]["command"] == "make test"
    talk.result()
    assert await talk.call() == ("report_progress", {"commit_message": "Rename a thing"})
    talk.result(None)
    last = await talk.reply()
    assert not last.message.tool_calls
    assert last.failure is None
    assert "2 blocks" in (last.message.text or "")


async def test_it_stops_at_the_first_block_that_fails_and_says_which() -> None:
    talk = Talk("```sh\ntrue\n```\n```sh\n\n  make check\nmore\n```\n```sh\necho never\n```")
    await talk.call()
    talk.result()
    await talk.call()
    talk.result({"exitCode": 2})

    last = await talk.reply()

    assert not last.message.tool_calls
    assert last.failure is not None
    assert last.failure.reason is Reason.COMMAND_FAILED
    assert last.failure.message == "Block 2 of 3 failed: `make check` exited with 2."


async def test_a_long_block_is_waited_for() -> None:
    talk = Talk("```sh\nmake world\n```\n```sh\ntrue\n```")
    await talk.call()
    talk.result({"job": 1, "running": True})

    assert await talk.call() == ("bash_wait", {"job": 1, "wait": 600})
    talk.result({"job": 1, "running": True})
    assert (await talk.call())[0] == "bash_wait"
    talk.result({"job": 1, "running": False, "exitCode": 0})
    assert (await talk.call())[1]["command"] == "true"


async def test_a_long_block_that_was_lost_is_run_again() -> None:
    talk = Talk("```sh\nmake world\n```")
    await talk.call()
    talk.result({"job": 1, "running": True})
    await talk.call()
    talk.result({"job": 1, "running": False, "lost": True})

    assert (await talk.call())[1]["command"] == "make world"


async def test_a_block_that_could_not_be_run_has_failed() -> None:
    talk = Talk("```sh\nls\n```")
    await talk.call()
    talk.result(None, outcome="failed")

    failure = (await talk.reply()).failure

    assert failure is not None
    assert "could not be run" in failure.message


async def test_a_block_that_lost_its_worker_runs_again() -> None:
    talk = Talk("```sh\none\n```\n```sh\ntwo\n```")
    await talk.call()
    talk.result(outcome="interrupted")

    assert (await talk.call())[1]["command"] == "one"
    talk.result()
    assert (await talk.call())[1]["command"] == "two"


async def test_a_block_that_keeps_losing_its_worker_is_given_up() -> None:
    talk = Talk("```sh\nkill the machine\n```")
    for _ in range(MAX_INTERRUPTIONS):
        await talk.call()
        talk.result(outcome="interrupted")

    failure = (await talk.reply()).failure

    assert failure is not None
    assert "lost its worker 3 times" in failure.message


async def test_a_lost_report_is_repeated() -> None:
    talk = Talk("```sh\none\n```")
    await talk.call()
    talk.result()
    await talk.call()
    talk.result(outcome="interrupted")

    assert (await talk.call())[0] == "report_progress"


async def test_without_a_block_it_fails_and_says_how_to_configure_a_model() -> None:
    last = await Talk("Fix the bug in parser.py").reply()

    assert last.failure is not None
    assert last.failure.reason is Reason.MODEL_NOT_CONFIGURED
    assert "config-check" in last.failure.message
    assert not last.message.tool_calls


async def test_blocks_of_a_later_message_run_too_and_are_reported_again() -> None:
    talk = Talk("```sh\none\n```")
    await talk.call()
    talk.result()
    await talk.call()
    talk.result(None, also="One more:\n```sh\ntwo\n```")

    assert (await talk.call())[1]["command"] == "two"
    talk.result()
    assert (await talk.call())[0] == "report_progress"


async def test_a_question_is_asked_where_that_is_possible() -> None:
    talk = Talk("```ask\nWhich one?\n```\n```sh\nls\n```", (*TOOLS, "ask_user"))

    assert await talk.call() == ("ask_user", {"question": "Which one?"})
    talk.result(None)
    assert (await talk.call())[0] == "bash"


async def test_a_question_where_none_can_be_asked_is_a_failure() -> None:
    assert (await Talk("```ask\nWhich one?\n```").reply()).failure is not None


async def test_call_ids_differ() -> None:
    talk = Talk("```sh\none\n```\n```sh\ntwo\n```")
    await talk.call()
    first = talk.newest.tool_call_id
    talk.result()
    await talk.call()

    assert talk.newest.tool_call_id != first

"""The set of tools, and the two that touch no file."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai.messages import ToolCallPart

from journeyman.agent.tools import Asking, ToolError, ask_user, report_progress
from journeyman.agent.tools.toolbox import Tool
from tests.unit.agent.tools.bench import Bench


def parsed(tool: Tool, **arguments: Any) -> Any:
    return tool.parse(ToolCallPart(tool.name, arguments))


@pytest.mark.sandbox
async def test_the_tools_of_a_session(bench: Bench) -> None:
    names = ["bash", "bash_wait", "bash_kill", "view", "edit", "create", "apply_patch"]
    names += ["search", "glob", "web_fetch", "plan", "report_progress", "ask_user"]
    assert list(bench.tools.names) == names
    reading = [n for n in names if (tool := bench.tools.find(n)) and tool.read_only]
    assert reading == ["view", "search", "glob", "web_fetch", "plan", "ask_user"]
    for definition in bench.tools.definitions:
        assert definition.description
        assert definition.parameters_json_schema["additionalProperties"] is False
        for name, field in definition.parameters_json_schema["properties"].items():
            assert "title" not in field, name


@pytest.mark.sandbox
async def test_what_report_progress_cannot_do_is_told_to_the_model(bench: Bench) -> None:
    assert await bench.error("report_progress", commit_message="x") == "nothing to commit"


async def test_report_progress_hands_on_what_it_was_given() -> None:
    given: list[tuple[str, str]] = []

    async def report(commit_message: str, pr_description: str) -> str:
        given.append((commit_message, pr_description))
        return "abc123: 2 files changed"

    tool = report_progress.tool(report)
    arguments = parsed(tool, commit_message="Mend it", pr_description="- [x] mend")
    result = await tool.run(arguments, lambda piece: None)

    assert result.text == "abc123: 2 files changed"
    assert given == [("Mend it", "- [x] mend")]


@pytest.mark.parametrize(
    ("arguments", "asking"),
    [
        ({"question": "Q?"}, Asking("Q?")),
        ({"question": "Q?", "options": ["a", "b"]}, Asking("Q?", ("a", "b"))),
        (
            {"question": "Q?", "options": ["a", "b"], "allow_text": False},
            Asking("Q?", ("a", "b"), allow_freeform=False),
        ),
        ({"question": "Q?", "allow_text": False}, Asking("Q?")),
    ],
)
def test_a_question_and_its_choices(arguments: dict[str, Any], asking: Asking) -> None:
    tool = ask_user.tool()
    assert tool.ask is not None
    assert tool.ask(parsed(tool, **arguments)) == asking


def test_each_wrong_argument_is_named() -> None:
    with pytest.raises(ToolError) as caught:
        parsed(ask_user.tool(), options=["x"] * 9, why="because")

    message = str(caught.value)
    assert all(word in message for word in ("- question:", "- options:", "- why:"))
    assert "because" not in message, "the model knows what it sent"

"""How events look on a terminal that has no colours."""

import io
from typing import Any

import pytest
from rich.console import Console

from journeyman.cli.log import OUTPUT_LINES, Log
from tests.unit.cli.api import event


def drawn(type_: str, **data: Any) -> list[str]:
    stream = io.StringIO()
    Log(Console(file=stream, width=200)).show(event(type_, **data))
    return [line[10:] for line in stream.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("type_", "data", "line"),
    [
        (
            "session.start",
            {"baseRef": "main", "baseSha": "0123456789", "headRef": "journeyman/x", "model": "m"},
            "▶ session on main@0123456  branch journeyman/x  model m",
        ),
        ("session.resume", {"run": 2, "attempt": 1}, "↻ goes on (resumed)"),
        ("session.resume", {"run": 1, "attempt": 2}, "↻ goes on (another worker took it up)"),
        (
            "session.state_changed",
            {"state": "failed", "stateReason": "command_failed", "message": "Block 1 failed."},
            "✗ failed (command_failed)  Block 1 failed.",
        ),
        ("session.error", {"message": "broken"}, "✗ broken"),
        ("tool.execution_start", {"toolName": "bash", "arguments": {"command": "ls"}}, "$ ls"),
        (
            "tool.execution_start",
            {"toolName": "view", "arguments": {"path": "a.py", "range": [1, 2]}},
            "▸ view a.py",
        ),
        (
            "assistant.usage",
            {"inputTokens": 1200, "outputTokens": 34, "cost": 1_000_000_000},
            "· 1,200 tokens in, 34 out, $0.0100",
        ),
        ("assistant.retry", {"attempt": 2, "error": "busy"}, "↻ attempt 2 failed: busy"),
        ("workspace.checkpoint", {"changedFiles": 1}, "· saved: 1 changed file"),
        ("workspace.checkpoint", {"changedFiles": 2}, "· saved: 2 changed files"),
        (
            "artifact.created",
            {"type": "pull", "data": {"id": 9, "number": 4}},
            "⇄ pull request #4",
        ),
        ("abort", {"reason": "cancelled"}, "⊘ stopped: cancelled"),
        (
            "hook.end",
            {
                "hookType": "preToolUse",
                "source": "a.json:3",
                "output": {"permissionDecision": "deny", "permissionDecisionReason": "no"},
            },
            "⚓ preToolUse hook, a.json:3: deny, no",
        ),
        (
            "hook.end",
            {"hookType": "agentStop", "source": "a.json:3", "error": {"message": "timed out"}},
            "⚓ agentStop hook, a.json:3: timed out",
        ),
        (
            "hook.end",
            {"hookType": "sessionEnd", "source": "a.json:3", "output": "one\ntwo"},
            "⚓ sessionEnd hook, a.json:3: one",
        ),
        (
            "firewall.blocked",
            {"host": "a.example", "port": 443, "command": "curl x", "count": 3},
            "⊘ the firewall blocked a.example:443, 3 times: curl x",
        ),
        (
            "firewall.blocked",
            {"host": "a.example", "port": 0, "command": "", "count": 1},
            "⊘ the firewall blocked a.example",
        ),
    ],
)
def test_one_line_each(type_: str, data: dict[str, Any], line: str) -> None:
    assert drawn(type_, **data) == [line]


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        ("of.the_future", {"anything": 1}),
        ("assistant.message_delta", {"deltaContent": "x"}),
        ("assistant.usage", {"inputTokens": 0, "outputTokens": 0}),
        ("tool.execution_complete", {"success": True, "result": {"content": ""}}),
        ("tool.execution_complete", {"success": True}),
    ],
)
def test_what_says_nothing_is_not_shown(type_: str, data: dict[str, Any]) -> None:
    assert drawn(type_, **data) == []


def test_a_failed_command_shows_what_it_said() -> None:
    lines = drawn("tool.execution_complete", success=False, result={"content": "no such file"})
    assert lines == ["  no such file", "  ✗ failed"]
    lines = drawn("tool.execution_complete", success=False, error={"message": "refused"})
    assert lines == ["  refused", "  ✗ failed"]


def test_the_middle_of_a_long_output_is_left_out() -> None:
    content = "\n".join(str(number) for number in range(1000))
    lines = drawn("tool.execution_complete", success=True, result={"content": content})
    assert len(lines) == OUTPUT_LINES + 1
    assert lines[0] == "  0"
    assert lines[OUTPUT_LINES // 2] == f"  … {1000 - OUTPUT_LINES} lines left out …"
    assert lines[-1] == "  999"


def test_mcp_servers_are_listed() -> None:
    servers = [
        {"name": "notes", "status": "connected", "tools": ["notes-find", "notes-add"]},
        {"name": "away", "status": "failed", "error": "no answer in 60 s"},
    ]
    assert drawn("session.mcp_servers_loaded", servers=servers) == [
        "MCP servers:",
        "  ✓ notes: notes-find, notes-add",
        "  ✗ away: no answer in 60 s",
    ]


def test_a_question_lists_its_choices() -> None:
    lines = drawn("user_input.requested", question="Which?", choices=["a", "b"])
    assert lines == ["? Which?", "  • a", "  • b"]


def test_markup_is_text() -> None:
    assert drawn("assistant.message", content="[red]not red[/red] :smile:") == [
        "● [red]not red[/red] :smile:"
    ]


def test_it_remembers_what_goes_on() -> None:
    log = Log(Console(file=io.StringIO()))
    log.note(event("tool.execution_start", toolName="bash", arguments={"command": "make"}))
    assert log.activity == "running $ make"
    log.note(event("tool.execution_partial_result", partialOutput="a\nb\x1b[2J\n"))
    assert log.activity == "b"
    log.note(event("tool.execution_complete", success=True))
    assert log.activity == "thinking"
    assert log.console.file.getvalue() == ""  # type: ignore[attr-defined]

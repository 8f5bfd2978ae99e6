"""Hooks as they are written: what is understood, and what is said of the rest, with its line."""

from __future__ import annotations

import json
from typing import Any

import pytest

from journeyman.agent.customisation import hooks
from journeyman.agent.customisation.hooks import Hook, Moment
from journeyman.agent.customisation.repository import PATHS, read

PATH = ".github/hooks/a.json"


def parsed(text: str) -> tuple[list[Hook], list[str]]:
    found, problems = hooks.read({PATH: text})
    return found, [str(problem) for problem in problems]


def of(*entries: Any, event: str = "preToolUse", **more: Any) -> tuple[list[Hook], list[str]]:
    return parsed(json.dumps({"version": 1, "hooks": {event: list(entries)}, **more}, indent=1))


def test_every_key_of_a_command() -> None:
    (hook,), problems = of(
        {
            "type": "command",
            "bash": "./check.sh",
            "powershell": "./check.ps1",
            "cwd": "scripts",
            "env": {"LEVEL": "$WORD"},
            "timeoutSec": 5,
            "timeout": 7,
            "matcher": "bash|edit",
            "comment": "why",
        }
    )
    assert not problems
    assert hook == Hook(
        Moment.PRE_TOOL_USE,
        "preToolUse",
        PATH,
        5,
        command="./check.sh",
        cwd="scripts",
        env={"LEVEL": "$WORD"},
        seconds=5.0,
        matcher="bash|edit",
    )


def test_what_may_be_left_out_or_written_otherwise() -> None:
    found, problems = of({"command": "true", "timeout": 7}, {"bash": "true", "timeoutSec": 9999})
    assert [hook.seconds for hook in found] == [7.0, 600.0]
    assert not problems
    (hook,), problems = of(
        {
            "type": "http",
            "url": "https://a.example",
            "headers": {"X": "$T"},
            "allowedEnvVars": ["T"],
        }
    )
    assert (hook.url, hook.headers, hook.allowed_variables) == (
        "https://a.example",
        {"X": "$T"},
        ("T",),
    )


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("sessionStart", "sessionStart"),
        ("SessionStart", "sessionStart"),
        ("UserPromptSubmit", "userPromptSubmitted"),
        ("Stop", "agentStop"),
        ("SubagentStop", "subagentStop"),
        ("PostToolUseFailure", "postToolUseFailure"),
        ("ErrorOccurred", "errorOccurred"),
        ("PreCompact", "preCompact"),
    ],
)
def test_both_spellings_of_an_event(name: str, moment: str) -> None:
    (hook,), problems = of({"bash": "true"}, event=name)
    assert (hook.moment.value, hook.snake_case) == (moment, name != moment)
    assert not problems


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("true", "it must be an object; this hook is not run"),
        ({"powershell": "x"}, "bash (or command) is missing"),
        ({"bash": 1}, "bash must be a text"),
        ({"exec": "x"}, "exec and args are for the command line only"),
        ({"type": "prompt", "prompt": "x"}, "hooks of type prompt are for interactive sessions"),
        ({"type": "python"}, "type is 'python'; it may be command or http"),
        ({"bash": "x", "timeoutSec": 0}, "timeoutSec is '0'"),
        ({"bash": "x", "timeoutSec": "5"}, "timeoutSec is '5'"),
        ({"bash": "x", "matcher": "("}, "matcher is not a regular expression"),
        ({"bash": "x", "matcher": "(a+)+$"}, "matcher is too long or too complex"),
        ({"bash": "x", "matcher": "a?" * 30}, "matcher is too long or too complex"),
        ({"bash": "x", "env": {"A": 1}}, "env must have a text for 'A'"),
        ({"type": "http", "url": "ftp://x"}, "url is missing, or is neither http nor https"),
        ({"type": "http", "url": "http://x"}, "url must be https for preToolUse"),
    ],
)
def test_a_broken_hook_is_told_and_the_others_stay(entry: Any, message: str) -> None:
    found, (problem,) = of(entry, {"bash": "true"})
    assert [hook.command for hook in found] == ["true"]
    assert problem.startswith(f"{PATH}:5: ")
    assert message in problem


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{\n"version": 1,\n oops', ":3: not valid JSON"),
        ("[]", ":1: it must be an object"),
        ('{\n "version": 2, "hooks": {}}', ":2: version is '2' and must be 1"),
        (
            '{"version": 1,\n "hooks": {"preToolUse": {}}}',
            ":2: hooks must be an object with a list",
        ),
        ("[" * 20_000, ":1: nested too deep"),
        ('{"version": 1, "hooks": {},\n\t"disableAllHooks": true}', ":2: disableAllHooks is true"),
    ],
)
def test_a_broken_file_is_told_with_its_line(text: str, problem: str) -> None:
    found, (told,) = parsed(text)
    assert not found
    assert told.startswith(PATH + problem)


def test_what_is_not_known_is_told_with_its_line() -> None:
    text = (
        '{\n  "version": 1,\n  "note": 1,\n  "hooks": {\n    "preTool": [],\n'
        '    "notification": [],\n    "sessionStart": [\n'
        '      {\n        "bash": "true",\n        "colour": "red",\n        "matcher": "x"\n'
        "      }\n    ]\n  }\n}\n"
    )
    found, problems = parsed(text)
    assert len(found) == 1
    assert problems == [
        f"{PATH}:3: unknown key 'note' is ignored",
        f"{PATH}:5: the event 'preTool' is not known; its hooks are not run",
        f"{PATH}:6: the event 'notification' does not happen here; its hooks are not run",
        f"{PATH}:10: unknown key 'colour' is ignored",
        f"{PATH}:11: matcher means nothing for sessionStart; it is ignored",
    ]
    assert parsed('{"hooks": {}}')[1] == [f"{PATH}:1: version is missing; 1 is assumed"]


@pytest.mark.parametrize(
    ("event", "matcher", "tools"),
    [
        ("preToolUse", None, {"bash", "edit", "grep", "github-list"}),
        ("preToolUse", "bash|grep", {"bash", "grep"}),
        ("preToolUse", "ba", set()),
        ("preToolUse", "github-.*", {"github-list"}),
        ("preToolUse", "Bash", set()),
        ("PreToolUse", "Bash", {"bash"}),
        ("PreToolUse", "Bash|Grep", {"bash", "grep"}),
        ("PreToolUse", "*", {"bash", "edit", "grep", "github-list"}),
        ("PreToolUse", "E.*", {"edit"}),
        ("postToolUse", "edit", {"edit"}),
    ],
)
def test_matchers(event: str, matcher: str | None, tools: set[str]) -> None:
    (hook,), _ = of({"bash": "true", "matcher": matcher}, event=event)
    known = ("bash", "edit", "grep", "github-list")
    assert {tool for tool in known if hook.matches(tool)} == tools


def test_there_may_be_50_and_they_come_in_the_files_order() -> None:
    many = json.dumps({"version": 1, "hooks": {"sessionStart": [{"bash": "true"}] * 40}})
    found, problems = hooks.read({".github/hooks/b.json": many, PATH: many, "c.json": many})
    assert [hook.path for hook in found] == [PATH] * 40 + [".github/hooks/b.json"] * 10
    assert [problem.message for problem in problems] == ["more than 50 hooks; the rest are not run"]
    assert any("hooks" in path for path in PATHS)
    assert len(read({PATH: many}).hooks) == 40

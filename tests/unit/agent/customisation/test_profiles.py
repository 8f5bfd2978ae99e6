"""Custom agents, key by key."""

from __future__ import annotations

import pytest

from journeyman.agent.customisation import profiles
from journeyman.agent.customisation.profiles import PROMPT_CHARS, Profile
from journeyman.agent.customisation.repository import NOTHING, read
from journeyman.agent.instructions import Briefing, system_prompt

WHOLE = """---
name: Test writer
description: Writes tests.
target: github-copilot
tools: ["read", "edit", "github/*"]
model: claude-sonnet-4.5
disable-model-invocation: true
user-invocable: true
argument-hint: which file
handoffs: []
mcp-servers:
  docs:
    type: local
    command: docs-server
    args: ["--quiet"]
    tools: ["*"]
metadata:
  team: quality
  level: 3
---
You write tests. {{ 7 * 7 }}
"""


def one(text: str, path: str = ".github/agents/tester.agent.md") -> Profile:
    (profile,) = profiles.read({path: text})[0]
    return profile


def described(front: str) -> str:
    return f"---\ndescription: x\n{front}\n---\nBe brief.\n"


def problems(text: str) -> list[str]:
    return [str(problem) for problem in one(text).problems]


def test_every_key_is_understood() -> None:
    profile = one(WHOLE)

    assert (profile.id, profile.name, profile.description) == (
        "tester",
        "Test writer",
        "Writes tests.",
    )
    assert profile.tools == ("read", "edit", "github/*")
    assert profile.models == ("claude-sonnet-4.5",)
    assert (profile.by_model, profile.by_user) == (False, True)
    assert profile.mcp_servers["docs"]["command"] == "docs-server"
    assert profile.metadata == {"team": "quality", "level": "3"}
    assert profile.prompt == "You write tests. {{ 7 * 7 }}"
    assert not profile.problems


@pytest.mark.parametrize(
    "name", ["tester", "Tester", "tester.agent.md", "tester.md", "test writer"]
)
def test_it_is_found_by_its_file_or_its_name(name: str) -> None:
    assert profiles.find([one(WHOLE)], name)


@pytest.mark.parametrize("name", ["", "test", "tester.agent.md.md", "../tester"])
def test_it_is_not_found_by_anything_else(name: str) -> None:
    assert profiles.find([one(WHOLE)], name) is None


@pytest.mark.parametrize(
    ("tools", "given", "refused"),
    [
        ("", {"bash", "view", "edit", "docs/find"}, set()),
        ('tools: ["*"]', {"bash", "view", "edit", "docs/find"}, set()),
        ("tools: []", {"report_progress", "ask_user"}, {"bash", "view", "docs/find"}),
        ("tools: Read, Grep", {"view", "search"}, {"bash", "edit", "create"}),
        ("tools: [execute]", {"bash", "bash_wait"}, {"view"}),
        ("tools: [Bash]", {"bash", "bash_wait"}, {"view"}),
        ("tools: [edit]", {"edit", "create", "apply_patch"}, {"bash"}),
        ("tools: [search]", {"search", "glob"}, {"view"}),
        ("tools: [agent, todo]", {"task", "plan"}, {"view"}),
        ("tools: [docs/find]", {"docs/find"}, {"docs/other", "view"}),
        ("tools: [docs/*]", {"docs/find", "docs/other"}, {"web/find"}),
        ("tools: [codebase, usages]", {"report_progress"}, {"view"}),
    ],
)
def test_tools_are_given_by_name_and_alias(tools: str, given: set[str], refused: set[str]) -> None:
    profile = one(described(tools))

    assert {name for name in given | refused if profile.allows(name)} == given


def test_infer_is_the_old_way_to_keep_it_from_models() -> None:
    assert not one(described("infer: false")).by_model
    assert one(described("infer: true")).by_model
    assert one(described("")).by_model
    assert not one(described("user-invocable: false")).by_user


def test_what_is_wrong_names_file_and_line() -> None:
    path = ".github/agents/tester.agent.md"

    assert problems(described("colour: red")) == [f"{path}:3: unknown key 'colour' is ignored"]
    assert problems("---\nname: x\n---\nHi") == [f"{path}:1: description is missing"]
    assert problems(described("tools: {a: 1}")) == [
        f"{path}:3: tools must be a text or a list of texts; it is ignored"
    ]
    assert "must be true or false" in problems(described("infer: maybe"))[0]
    assert "must be a table" in problems(described("mcp-servers: [a]"))[0]
    assert "vscode or github-copilot" in problems(described("target: emacs"))[0]


def test_a_long_prompt_is_cut() -> None:
    profile = one(f"---\ndescription: x\n---\n{'x' * (PROMPT_CHARS + 1)}")

    assert len(profile.prompt) == PROMPT_CHARS
    assert "only the first 30000 characters" in str(profile.problems[0])


def test_only_files_of_the_directory_itself_count_and_the_longer_suffix_wins() -> None:
    files = {
        ".github/agents/a.md": described("name: second"),
        ".github/agents/a.agent.md": described("name: first"),
        ".github/agents/b.md": described(""),
        ".github/agents/deep/c.md": described(""),
        ".github/agents/d.agent.md": described("target: vscode"),
        ".github/agents/e.md": "---\nname: [\n---\n",
        "docs/f.agent.md": described(""),
    }

    found, wrong = profiles.read(files)

    assert [(p.id, p.name) for p in found] == [("a", "first"), ("b", "b")]
    assert [problem.path for problem in wrong] == [".github/agents/a.md", ".github/agents/e.md"]


def test_it_is_part_of_what_a_repository_says() -> None:
    assert read({".github/agents/b.md": described("")}).profiles[0].id == "b"


def test_its_prompt_has_the_last_word() -> None:
    briefing = Briefing("octo/hello", "b", "main", "abc")

    prompt = system_prompt(briefing, NOTHING, one(WHOLE))

    assert prompt.rstrip().endswith("You write tests. {{ 7 * 7 }}\n</agent>")

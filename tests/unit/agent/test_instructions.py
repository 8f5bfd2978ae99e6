"""What the agent is told before the user speaks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from journeyman.agent.customisation import guides, repository
from journeyman.agent.instructions import Briefing, external_prompt, system_prompt

BRIEFING = Briefing("octo/hello", "journeyman/fix-1234", "main", "abc123")


def prompt_with(files: dict[str, str]) -> str:
    return system_prompt(BRIEFING, repository.read(files))


def test_it_says_where_the_agent_is() -> None:
    prompt = system_prompt(BRIEFING)

    for word in ("octo/hello", "journeyman/fix-1234", "`main`", "abc123", "/workspace"):
        assert word in prompt
    assert "There is no network." in prompt


def test_it_is_short() -> None:
    assert len(system_prompt(BRIEFING)) < 12_000


def test_asking_is_mentioned_only_where_it_is_possible() -> None:
    assert "ask_user" not in system_prompt(BRIEFING)
    asking = Briefing("o/r", "b", "main", "abc", can_ask=True)
    assert "ask_user" in system_prompt(asking)


def test_without_files_there_is_no_section_for_them() -> None:
    assert "Instructions of this repository" not in prompt_with({})
    assert "Instructions of this repository" not in prompt_with({"AGENTS.md": " \n"})


def test_the_repositorys_files_come_last_the_more_general_first() -> None:
    prompt = prompt_with(
        {
            "AGENTS.md": "Use tabs.",
            "README.md": "Not an instruction.",
            ".github/copilot-instructions.md": "Use spaces. {{ 7 * 7 }}",
        }
    )

    assert prompt.index("Use spaces.") < prompt.index("Use tabs.")
    assert "{{ 7 * 7 }}" in prompt, "a file is text, not a template"
    assert "Not an instruction." not in prompt


def test_the_operators_come_before_the_repositorys_for_every_agent() -> None:
    ours, problems = guides.of_operator("Be polite.\n" + "x" * 20_000)
    found = replace(repository.read({"AGENTS.md": "Use tabs."}), operators=ours)

    for prompt in (system_prompt(BRIEFING, found), external_prompt(BRIEFING, found)):
        assert prompt.index("Be polite.") < prompt.index("Use tabs.")
    assert found.used == ["the operator's instructions", "AGENTS.md"]
    assert [str(one) for one in problems] == [
        "the operator's instructions: only the first 16000 characters are used"
    ]
    assert guides.of_operator(" \n") == (None, [])


def test_what_is_for_some_paths_is_listed_not_told() -> None:
    prompt = prompt_with({"src/AGENTS.md": "Mind the gap."})

    assert "- src/AGENTS.md: for src/**" in prompt
    assert "Mind the gap." not in prompt


def test_it_is_the_same_for_the_same_session() -> None:
    """Providers cache by prefix."""
    assert system_prompt(BRIEFING) == system_prompt(BRIEFING)


def test_files_under_lfs_are_said_to_be_pointers() -> None:
    found = {
        ".gitattributes": "*.txt text\n*.bin filter=lfs diff=lfs merge=lfs -text\n",
        "docs/.gitattributes": "# *.png filter=lfs\n*.md text\n",
    }
    prompt = prompt_with(found)
    assert "Files that .gitattributes puts under Git LFS" in prompt
    assert "LFS" not in prompt_with({"a/.gitattributes": found["docs/.gitattributes"]})


def test_submodules_are_said_to_be_empty() -> None:
    text = '[submodule "lib"]\n\tpath = vendor/lib\n\turl = https://x.test/lib.git\n'
    assert "Submodules are not fetched: vendor/lib is empty here." in prompt_with(
        {".gitmodules": text}
    )
    assert "Submodules" not in prompt_with({".gitmodules": "# nothing\n"})


@pytest.mark.parametrize(
    "text", ["\n" * 1_000_000, "path =" + " " * 1_000_000, "path=a " * 200_000]
)
def test_submodules_are_read_in_linear_time(text: str) -> None:
    """Otherwise a session would hold up its server for as long as its repository likes."""
    assert repository.read({".gitmodules": text}).submodules == ()


@pytest.mark.parametrize("prompt", [system_prompt, external_prompt])
def test_a_push_that_was_refused_is_told_with_the_way_out(
    prompt: Callable[[Briefing], str],
) -> None:
    refused = Briefing("o/r", "b", "main", "abc", refused="GH013: No merge commits.\nSee rules.")
    said = prompt(refused)
    for sign in ("GH013: No merge commits. See rules.", "git reset --soft abc", "merge origin/b"):
        assert sign in said
    assert "refused" not in prompt(BRIEFING)


def test_a_branch_that_is_begun_anew_is_said_to_be() -> None:
    anew = Briefing("o/r", "b", "main", "abc", begun_anew=True)
    assert "begun anew" in system_prompt(anew)
    assert "begun anew" not in system_prompt(BRIEFING)

"""What the agent is told before the user speaks."""

from __future__ import annotations

import pytest

from journeyman.agent.instructions import FILE_CHARS, Briefing, system_prompt

BRIEFING = Briefing("octo/hello", "journeyman/fix-1234", "main", "abc123")


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
    assert "Instructions of this repository" not in system_prompt(BRIEFING, {})
    assert "Instructions of this repository" not in system_prompt(BRIEFING, {"AGENTS.md": " \n"})


def test_the_repositorys_files_come_last_the_more_general_first() -> None:
    files = {
        "AGENTS.md": "Use tabs.",
        "README.md": "Not an instruction.",
        ".github/copilot-instructions.md": "Use spaces. {{ 7 * 7 }}",
    }

    prompt = system_prompt(BRIEFING, files)

    assert prompt.index("Use spaces.") < prompt.index("Use tabs.")
    assert "{{ 7 * 7 }}" in prompt, "a file is text, not a template"
    assert "Not an instruction." not in prompt


@pytest.mark.parametrize("size", [FILE_CHARS + 1, 5_000_000])
def test_a_huge_file_is_cut(size: int) -> None:
    prompt = system_prompt(BRIEFING, {"AGENTS.md": "x" * size})

    assert f"[… {size - FILE_CHARS} more characters left out]" in prompt
    assert len(prompt) < FILE_CHARS + 12_000


def test_it_is_the_same_for_the_same_session() -> None:
    """Providers cache by prefix."""
    assert system_prompt(BRIEFING) == system_prompt(BRIEFING)

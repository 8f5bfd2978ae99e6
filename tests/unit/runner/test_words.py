"""What a pull request is called, and what it says of the work."""

from __future__ import annotations

import pytest

from journeyman.runner import words


@pytest.mark.parametrize(
    ("description", "title", "rest"),
    [
        ("# Greet by name\n\n- [x] Fix the typo", "Greet by name", "\n- [x] Fix the typo"),
        ("\n# Greet\n", "Greet", ""),
        ("- [x] Fix\n\n# Later", "", "- [x] Fix\n\n# Later"),
        ("## Plan\n- [ ] a", "", "## Plan\n- [ ] a"),
        ("#hashtag", "", "#hashtag"),
        ("# " + "x" * 300, "", "# " + "x" * 300),
        ("", "", ""),
    ],
)
def test_a_heading_at_the_beginning_is_the_title(description: str, title: str, rest: str) -> None:
    assert words.parted(description) == (title, rest)


LOG_URL = "https://j.test/o/r/agents/tasks/1"
OURS = f"Done.\n\n[Follow the agent's log]({LOG_URL}).\n"
THEIRS = "I want this.\r\n\r\n- [ ] Check it"


def test_a_section_is_added_once_and_kept_up_to_date_within_words_of_others() -> None:
    first = words.with_section(THEIRS, OURS, "task-1")
    assert first.startswith(THEIRS)
    assert not words.is_own(first, "1")
    both = words.with_section(f"{first}\n\nThanks!", "Second.\n", "task-2")
    again = words.with_section(both, OURS.replace("Done", "Done twice"), "task-1")
    assert again == both.replace("Done", "Done twice")
    assert (again.count("Done"), again.count("Second."), again.count("Thanks!")) == (1, 1, 1)


def test_a_section_that_was_cut_is_replaced() -> None:
    cut = words.with_section(THEIRS, OURS, "task-1").removesuffix("<!-- /journeyman -->")
    assert words.with_section(cut, OURS, "task-1") == words.with_section(THEIRS, OURS, "task-1")


def test_words_that_leave_no_room_are_left_alone() -> None:
    long = "x" * (words.THEIRS_CHARS + 1)
    assert words.with_section(long, OURS, "task-1") == long


def test_the_tasks_own_words_are_replaced_and_other_tasks_sections_kept() -> None:
    old = words.with_section(OURS, "Second.\n", "task-2")
    assert words.is_own(old, "1")
    assert words.renewed(old, "New.\n") == old.replace(OURS, "New.\n")


def test_the_tasks_own_is_known_whatever_the_server_was_called() -> None:
    assert words.is_own(OURS.replace("j.test", "former.test/below"), "1")
    assert not words.is_own(OURS, "11")
    assert not words.is_own(OURS.replace("tasks/1", "tasks/11"), "1")
    assert not words.is_own(THEIRS + LOG_URL, "1")

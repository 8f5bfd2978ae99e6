"""Names, branches and the limits of a new task."""

from __future__ import annotations

import re
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeyman.domain.errors import AppError, Code
from journeyman.domain.tasks import (
    NAME_LIMIT,
    PROMPT_LIMIT,
    NewTask,
    branch_for,
    branch_name,
    name_of,
)

SESSION_ID = "0f8fad5b-d9cb-469f-a165-70867728950e"


@pytest.mark.parametrize("prompt", ["", "   ", "\n\t\n"])
def test_an_empty_prompt_is_refused_with_the_name_of_the_field(prompt: str) -> None:
    with pytest.raises(AppError) as refused:
        NewTask(prompt)
    assert refused.value.code is Code.INVALID
    assert refused.value.fields[0].field == "prompt"


def test_a_prompt_at_the_limit_is_taken_and_one_beyond_is_refused_with_both_numbers() -> None:
    assert NewTask("x" * PROMPT_LIMIT).prompt
    with pytest.raises(AppError, match=rf"{PROMPT_LIMIT + 1}.*{PROMPT_LIMIT}"):
        NewTask("x" * (PROMPT_LIMIT + 1))


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("Fix the bug", "Fix the bug"),
        ("\n\n# Fix the bug\n\nIt is bad.", "Fix the bug"),
        ("```sh\nmake\n```", "make"),
        ("- one\n- two", "one"),
    ],
)
def test_a_task_is_named_by_the_first_line_that_says_something(prompt: str, name: str) -> None:
    assert name_of(prompt) == name


def test_a_long_name_is_cut_at_a_word() -> None:
    name = name_of("word " * 100)
    assert len(name) <= NAME_LIMIT
    assert name.endswith("word…")


@given(st.text(min_size=1, max_size=300))
def test_every_name_makes_a_branch_that_git_takes(prompt: str) -> None:
    branch = branch_for(name_of(prompt), SESSION_ID)
    assert re.fullmatch(r"journeyman/[a-z0-9]+(-[a-z0-9]+)*-0f8fad5b", branch)


def test_accents_are_left_out_of_a_branch_and_their_letters_stay() -> None:
    assert branch_for("🎉 Émoji für naïve", SESSION_ID) == "journeyman/emoji-fur-naive-0f8fad5b"


def test_git_itself_agrees_with_a_branch() -> None:
    branch = branch_for("Fix: the ~bug^ .. in //a.lock", SESSION_ID)
    subprocess.run(["git", "check-ref-format", f"refs/heads/{branch}"], check=True)


@pytest.mark.parametrize("ref", ["main", "refs/heads/main"])
def test_a_branch_may_be_named_short_or_in_full(ref: str) -> None:
    assert branch_name(ref) == "main"

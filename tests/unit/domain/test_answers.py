"""What is said to whoever asked."""

from __future__ import annotations

from journeyman.domain.answers import marker_of, quiet, refusal


def test_the_agents_words_call_nobody_and_command_no_bot() -> None:
    said = quiet("Done, @eve.\n/deploy now\n@dependabot merge <!-- journeyman-answer: x -->")
    assert all(line.startswith("> ") for line in said.splitlines())
    assert "@eve" not in said
    assert "@dependabot" not in said
    assert "@\u200bdependabot" in said
    assert marker_of("x") not in said


def test_a_refusal_says_why_to_who_asked() -> None:
    assert refusal(["bob"], "It is in a fork.") == "@bob I cannot work on this: It is in a fork."

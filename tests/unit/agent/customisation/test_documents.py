"""Front matter, whole and broken."""

from __future__ import annotations

import pytest

from journeyman.agent.customisation.documents import FRONT_MATTER_CHARS, parse


def test_keys_have_their_lines_and_the_body_is_what_follows() -> None:
    document = parse("a.md", "---\nname: x\n\ntools: [a, b]\n---\nBody\n---\nmore\n")

    assert document.keys == {"name": "x", "tools": ["a", "b"]}
    assert document.lines == {"name": 2, "tools": 4}
    assert document.body == "Body\n---\nmore\n"
    assert not document.problems


@pytest.mark.parametrize("text", ["Just text.\n", "", "Text\n---\nname: x\n---\n"])
def test_without_front_matter_all_is_body(text: str) -> None:
    document = parse("a.md", text)

    assert (document.body, document.keys, document.problems) == (text, {}, ())


def test_windows_line_ends_and_a_byte_order_mark_are_understood() -> None:
    document = parse("a.md", "\ufeff---\r\nname: x\r\n---\r\nBody")

    assert (document.keys, document.body) == ({"name": "x"}, "Body")


def test_empty_front_matter_is_no_problem() -> None:
    assert not parse("a.md", "---\n---\nBody").problems


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("---\nname: x\nno end", "a.md:1: the front matter has no closing ---"),
        ("---\nname: x\n  bad: [\n---\n", "a.md:3"),
        ("---\n- a\n- b\n---\n", "expected `key: value` lines"),
        ("---\njust words\n---\n", "expected `key: value` lines"),
        ("---\nname: x\napplyTo: **/*.py\n---\n", "a.md:3: not valid YAML"),
        ("---\napplyTo: *.py\n---\n", "in quotes"),
        ("---\na: &a [x]\nb: *a\n---\n", "a.md:3: not valid YAML: references"),
        ("---\na: &a [*a]\n---\n", "references"),
        ("---\na: " + "[" * 5000 + "\n---\n", "nested too deep"),
        ("---\na: !!python/object/apply:os.system [id]\n---\n", "not valid YAML"),
        ("---\na: 2024-99-99\n---\n", "not valid YAML"),
        ("---\na: \x07\n---\n", "not valid YAML"),
        ("---\na: " + "x" * FRONT_MATTER_CHARS + "\n---\n", "none of it is used"),
    ],
    ids=range(13),
)
def test_what_is_broken_is_a_problem_with_its_place(text: str, shown: str) -> None:
    document = parse("a.md", text)

    (problem,) = document.problems
    assert shown in str(problem)
    assert document.keys == {}

"""`applyTo`, by the rules that GitHub documents."""

from __future__ import annotations

import time

import pytest

from journeyman.agent.customisation import globs


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*", "a.py", True),
        ("*", "src/a.py", False),
        ("**", "src/deep/a.py", True),
        ("**/*", "a.py", True),
        ("*.py", "a.py", True),
        ("*.py", "src/a.py", False),
        ("**/*.py", "a.py", True),
        ("**/*.py", "src/deep/a.py", True),
        ("src/*.py", "src/a.py", True),
        ("src/*.py", "src/deep/a.py", False),
        ("src/**/*.py", "src/a.py", True),
        ("src/**/*.py", "src/deep/er/a.py", True),
        ("**/tests/**/*.py", "tests/a.py", True),
        ("**/tests/**/*.py", "x/tests/y/a.py", True),
        ("**/tests/**/*.py", "x/testsy/a.py", False),
        ("src/**", "src/a.py", True),
        ("src/**", "src", False),
        ("/src/*.py", "src/a.py", True),
        ("./src/*.py", "src/a.py", True),
        ("a?.py", "ab.py", True),
        ("[ab].py", "b.py", True),
        ("A.py", "a.py", False),
        ("a.py", "a_py", False),
    ],
)
def test_a_pattern_means_these_paths(pattern: str, path: str, matches: bool) -> None:
    assert globs.matches(pattern, path) is matches


def test_a_value_holds_several_patterns() -> None:
    assert globs.patterns("**/*.ts, **/*.tsx,") == ["**/*.ts", "**/*.tsx"]


def test_a_comma_inside_braces_parts_nothing() -> None:
    assert globs.patterns("src/**/*.{ts,tsx},*.md") == ["src/**/*.ts", "src/**/*.tsx", "*.md"]


def test_braces_without_end_come_to_a_bounded_number() -> None:
    assert len(globs.patterns("{a,b}" * 40)) <= globs.MOST_PATTERNS


@pytest.mark.parametrize("pattern", ["**/" * 60 + "x", "*a" * 60, "**/a" * 60])
def test_no_pattern_takes_long(pattern: str) -> None:
    started = time.process_time()
    globs.matches(pattern, "/".join(["a" * 40] * 60))
    assert time.process_time() - started < 0.5

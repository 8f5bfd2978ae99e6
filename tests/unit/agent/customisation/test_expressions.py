"""The expressions of workflow files, as GitHub's documentation has them."""

from __future__ import annotations

from typing import Any

import pytest

from journeyman.agent.customisation import expressions
from journeyman.agent.customisation.expressions import Unsupported

CONTEXTS: dict[str, Any] = {
    "env": {"LEVEL": "3", "EMPTY": "", "Name": "Ada"},
    "runner": {"os": "Linux"},
    "steps": {"build": {"outcome": "failure", "outputs": {"hit": "true"}}},
    "list": ["a", "B"],
}


def functions(*, failed: bool = False) -> dict[str, expressions.Function]:
    return {
        "success": lambda: not failed,
        "failure": lambda: failed,
        "always": lambda: True,
        "cancelled": lambda: False,
        "hashFiles": lambda *patterns: "abc" if patterns == ("**/x.lock",) else "",
    }


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 == 1.0", True),
        ("'ADA' == env.name", True),
        ("env.LEVEL > 2", True),
        ("env.LEVEL == '3'", True),
        ("env.missing == ''", True),
        ("env['Name']", "Ada"),
        ("null == false", True),
        ("'x' == 0", False),
        ("!env.EMPTY && runner.os == 'linux'", True),
        ("env.EMPTY || 'else'", "else"),
        ("env.LEVEL && 'yes' || 'no'", "yes"),
        ("steps.build.outputs.hit == 'true'", True),
        ("steps.other.outputs.hit", None),
        ("(1 < 2) == true", True),
        ("contains('Hello', 'hell')", True),
        ("contains(list, 'b')", True),
        ("startsWith(runner.os, 'lin') && endsWith(runner.os, 'X')", True),
        ("format('{0}-{1}', env.Name, 0x10)", "Ada-16"),
        ("join(list, '+')", "a+B"),
        ("fromJSON('[1, 2]')[1]", 2),
        ("'it''s'", "it's"),
        ("hashFiles('**/x.lock') != ''", True),
        ("-1.5 < 0", True),
    ],
)
def test_values(expression: str, expected: object) -> None:
    assert expressions.value(expression, CONTEXTS, functions()) == expected


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("env.", "a name is missing"),
        ("github.sha", "no context 'github'"),
        ("nothing()", "no function 'nothing'"),
        ("1 ==", "it ends too early"),
        ("(1", r"'\)' is missing"),
        ("1 1", "'1' is not expected there"),
        ('"double"', "is not understood"),
        ("steps.*.outcome", "not supported"),
        ("fromJSON('{')", "fromJSON"),
        ("format('{3}', 1)", "format"),
        ("(" * 3000 + "1" + ")" * 3000, "more than 4000"),
        ("(" * 1900 + "1" + ")" * 1900, "nested too deep"),
    ],
)
def test_what_is_broken_is_said(expression: str, message: str) -> None:
    with pytest.raises(Unsupported, match=message):
        expressions.value(expression, CONTEXTS, functions())


@pytest.mark.parametrize(
    ("condition", "failed", "expected"),
    [
        (None, False, True),
        (None, True, False),
        (False, False, False),
        ("runner.os == 'Linux'", False, True),
        ("runner.os == 'Linux'", True, False),
        ("${{ runner.os != 'Linux' }}", False, False),
        ("${{ runner.os }} == 'Linux'", False, True),
        ("always()", True, True),
        ("failure() && steps.build.outcome == 'failure'", True, True),
        ("!cancelled()", True, True),
        ("success() || env.LEVEL == 3", True, True),
    ],
)
def test_conditions(condition: str | bool | None, failed: bool, expected: bool) -> None:
    given = functions(failed=failed)
    assert expressions.holds(condition, CONTEXTS, given) is expected


def test_texts_are_filled() -> None:
    text = "${{ env.Name }} on ${{runner.os}}: ${{ 1 == 2 }}${{ env.missing }} $HOME {x}"
    assert expressions.fill(text, CONTEXTS, functions()) == "Ada on Linux: false $HOME {x}"


def test_the_files_to_be_hashed_are_known_before() -> None:
    found = expressions.hashed(["hashFiles('a', '**/b') != ''", "always()", "!hashFiles('a')"])
    assert found == {("a", "**/b"), ("a",)}


@pytest.mark.parametrize("piece", ["a", "a ", "${{", "${{ a", "hashFiles("])
def test_what_is_long_takes_no_longer_for_what_is_in_it(piece: str) -> None:
    text = piece * 300_000
    with pytest.raises(expressions.Unsupported, match="more than 4000 characters"):
        expressions.holds(text, CONTEXTS, functions())
    assert expressions.fill(text, CONTEXTS, functions()) == text
    assert expressions.hashed([text]) == set()


def test_templates_of_one_condition_are_read_one_by_one() -> None:
    assert expressions.holds("${{ true }} && ${{ !false }}", CONTEXTS, functions())
    assert not expressions.holds("${{ true }} && ${{ false }}", CONTEXTS, functions())

"""What texts look like before they are stored or shown to a model."""

from __future__ import annotations

import json
import time

import pytest

from journeyman.agent.text import CLIP_CHARS, LINE_CHARS, clean, clean_json, clip, plain


@pytest.mark.parametrize(
    ("text", "storable"),
    [
        ("plain", "plain"),
        ("grüße 🙂", "grüße 🙂"),
        ("a\0b", "a\ufffdb"),
        ("lone \ud83d", "lone \ufffd"),
        ("lone \ude42 too", "lone \ufffd too"),
        ("pair \ud83d\ude42", "pair 🙂"),
    ],
)
def test_a_text_is_made_storable(text: str, storable: str) -> None:
    assert clean(text) == storable
    clean(text).encode()


def test_a_json_value_is_made_storable_throughout() -> None:
    assert clean_json({"a\0": ["b\0", {"c": "\ud800"}, 1, None]}) == {
        "a\ufffd": ["b\ufffd", {"c": "\ufffd"}, 1, None]
    }


def test_numbers_that_json_has_no_words_for_are_texts() -> None:
    given = json.loads('{"a": [NaN, -Infinity, 1e999, 1.5]}')

    assert clean_json(given) == {"a": ["nan", "-inf", "inf", 1.5]}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31;1mred\x1b[0m", "red"),
        ("\x1b]0;title\x07done", "done"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("10%\r50%\r100%\nnext", "100%\nnext"),
        ("windows\r\nlines\r\n", "windows\nlines\n"),
        ("ends with it\r", "ends with it"),
        ("untouched [0m", "untouched [0m"),
    ],
)
def test_a_text_is_what_a_terminal_would_leave(text: str, seen: str) -> None:
    assert plain(text) == seen


def test_a_short_text_is_not_clipped() -> None:
    text = "line\n" * 100
    assert clip(text) == text


def test_a_long_text_keeps_its_head_and_its_tail() -> None:
    text = "".join(f"line {n}\n" for n in range(20_000))

    clipped = clip(text)

    assert len(clipped) <= CLIP_CHARS + 200
    assert clipped.startswith("line 0\nline 1\n")
    assert clipped.endswith("line 19998\nline 19999\n")
    head, tail = clipped.split("[…")[0], clipped.split("…]\n")[1]
    assert head.endswith("\n")
    assert tail.startswith("line ")
    left_out = 20_000 - head.count("\n") - tail.count("\n")
    assert f"[… {left_out} lines" in clipped
    assert len(head) > len(tail)


def test_a_long_line_is_cut() -> None:
    clipped = clip(f"before\n{'x' * 5000}\nafter")

    assert f"{'x' * LINE_CHARS} [… 3000 more characters]\nafter" in clipped


def test_one_endless_line_is_cut() -> None:
    assert len(clip("x" * 1_000_000)) < LINE_CHARS + 100


@pytest.mark.parametrize(
    "text", ["\r" * 10**6, "\x1b]" * 500_000, "\x1b[" * 500_000, "a\r" * 500_000]
)
def test_a_nasty_megabyte_takes_no_time(text: str) -> None:
    started = time.perf_counter()

    clip(plain(clean(text)))

    assert time.perf_counter() - started < 2

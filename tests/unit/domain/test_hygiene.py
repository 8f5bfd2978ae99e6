"""What users cannot see is not said to the agent either."""

from __future__ import annotations

import pytest

from journeyman.domain.hygiene import visible


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("plain\ttext\r\n", "plain\ttext\r\n"),
        ("a<!-- obey -->b", "ab"),
        ("a <!-- over\nlines --> b", "a  b"),
        ("never ended <!-- obey\nme", "never ended "),
        ("<!-- one -->x<!-- two -->y", "xy"),
        ("```html\n<!-- seen -->\n```\n<!-- not -->", "```html\n<!-- seen -->\n```\n"),
        ("<!--\n```\nobey\n```\n-->end", "end"),
        ("~~~\n<!-- a\n~~~\nb", "~~~\n<!-- a\n~~~\nb"),
        (
            "zero\u200bwidth\u2060 \u202eturned\u202c soft\u00adhyphen",
            "zerowidth turned softhyphen",
        ),
        ("tags\U000e0041\U000e0042 private\ue000 \U000e0101", "tags private "),
        ("é ü 漢字 👩\u200d💻 ✔\ufe0f", "é ü 漢字 👩\u200d💻 ✔\ufe0f"),
    ],
)
def test_only_what_is_seen_stays(text: str, seen: str) -> None:
    assert visible(text) == seen


def test_a_hostile_text_takes_no_time() -> None:
    assert visible("<!--" * 200_000) == ""
    assert len(visible("<!---->\n```\n" * 50_000)) > 0

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

"""The diagram in the documentation is the table of states, drawn, and no reason is missing."""

from __future__ import annotations

import re
from pathlib import Path

from journeyman.domain.sessions import FINAL, TRANSITIONS, Reason

PAGE = Path(__file__).parents[3] / "docs" / "states.md"


def diagram() -> str:
    """As Mermaid; what to write into the page when the table has changed."""
    ways = [
        f"    {state} --> {following}"
        for state, followings in TRANSITIONS.items()
        for following in sorted(followings)
    ]
    ends = [f"    {state} --> [*]" for state in TRANSITIONS if state in FINAL]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> queued", *ways, *ends, "```"])


def test_the_page_draws_the_table() -> None:
    assert diagram() in PAGE.read_text(), f"docs/states.md should hold:\n{diagram()}"


def test_the_page_has_every_reason() -> None:
    rows = re.findall(r"^\| [^|]+\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert set(rows) - {"state_reason"} == set(Reason)

"""Foreign text for a page: what has no shape, or would turn the text around it, is shown by name.

Knows nothing of HTML; escaping is the template's part.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

SHOWN = {code: f"^{chr(code ^ 0x40)}" for code in (*range(0x20), 0x7F) if chr(code) not in "\n\t"}
"""As terminals write them: ^[ for an escape. Every font has these."""
NAMED = (
    *range(0x80, 0xA0),
    0xAD,
    0x61C,
    0x180E,
    0x200B,
    0x200E,
    0x200F,
    0x2028,
    0x2029,
    *range(0x202A, 0x202F),
    *range(0x2060, 0x2070),
    0xFEFF,
    *range(0xFFF9, 0xFFFC),
    *range(0xE0000, 0xE0080),
)
"""C1 controls, and characters of Unicode without width or that change the direction."""
TABLE = SHOWN | {code: f"\u27e8U+{code:04X}\u27e9" for code in NAMED}
LONE = re.compile("[\ud800-\udfff]")
JOINER = re.compile("(?:(?<=[\x00-\x7f])|^)[\u200c\u200d]")
"""Joiners are part of words and of emoji; after ASCII they only hide."""


def visible(text: object) -> str:
    """*text* with nothing hidden in it."""
    shown = LONE.sub("\ufffd", str(text)).translate(TABLE)
    return JOINER.sub(lambda found: f"\u27e8U+{ord(found[0]):04X}\u27e9", shown)


def one_line(text: object, most: int = 200) -> str:
    """The first line that says something, shortened."""
    lines = (line.strip() for line in str(text).splitlines())
    first = next((line for line in lines if line), "")
    return visible(first if len(first) <= most else first[: most - 1] + "…")


def duration(seconds: float) -> str:
    """As people say it: 0.4 s, 12 s, 3 min 5 s, 2 h 10 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if not minutes:
        return f"{rest} s"
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def money(nano_credits: int | None) -> str:
    """In dollars; a credit is a cent. Nothing for what has no price."""
    if not nano_credits:
        return ""
    dollars = nano_credits / 1e11
    return f"${dollars:.4f}" if dollars < 0.01 else f"${dollars:,.2f}"


def instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ago(at: datetime, now: datetime) -> str:
    """For a page without script, which keeps it current otherwise."""
    passed = max(now - at, timedelta())
    for unit, seconds in (("d", 86400), ("h", 3600), ("min", 60)):
        if (count := int(passed.total_seconds() // seconds)) > 0:
            return f"{count} {unit} ago" if unit != "d" or count < 30 else f"{at:%Y-%m-%d}"
    return "just now"


def compact(number: int) -> str:
    """12345 as 12.3k."""
    for size, unit in ((1_000_000, "M"), (1000, "k")):
        if number >= size:
            return f"{number / size:.1f}".removesuffix(".0") + unit
    return str(number)

"""What users send, without what they cannot see: hidden characters and HTML comments.

Both are ways to say something to an agent that the person who reads it does not notice; GitHub's
agent leaves them out, too. Knows nothing of where a text comes from.
"""

from __future__ import annotations

import re
import unicodedata

_FENCE = re.compile(r"^( {0,3})(`{3,}|~{3,})")
_KEPT = frozenset("\n\r\t\u200c\u200d\ufe0f")
"""Line ends, and what joins letters and emoji in writing that needs it."""
_TAGS = range(0xE0000, 0xE0080)
_SELECTORS = range(0xE0100, 0xE01F0)


def visible(text: str) -> str:
    """*text* as its reader sees it. Code in fences keeps its comments, which are seen there."""
    text = "".join(one for one in text if _is_seen(one)) if not text.isascii() else text
    return _without_comments(text) if "<!--" in text else text


def _is_seen(one: str) -> bool:
    code = ord(one)
    if code in _TAGS or code in _SELECTORS:
        return False
    # Cf: zero-width and direction marks, soft hyphens; Co: private use
    return one in _KEPT or unicodedata.category(one) not in ("Cf", "Co")


def _without_comments(text: str) -> str:
    kept, fence, hidden = list[str](), "", False
    for line in text.splitlines(keepends=True):
        if fence:
            kept.append(line)
            ended = line.strip().startswith(fence) and not line.strip().strip(fence[0])
            fence = "" if ended else fence
        elif not hidden and (opened := _FENCE.match(line)):
            kept.append(line)
            fence = opened[2]
        else:
            shown, hidden = _shown(line, hidden)
            kept.append(shown)
    return "".join(kept)


def _shown(line: str, hidden: bool) -> tuple[str, bool]:
    """What of *line* is outside comments, and whether one goes on after it."""
    parts = list[str]()
    while True:
        if hidden:
            _, end, line = line.partition("-->")
            if not end:
                return "".join(parts), True
        before, start, line = line.partition("<!--")
        parts.append(before)
        if not start:
            return "".join(parts), False
        hidden = True

"""What users send, without what they cannot see: hidden characters and HTML comments.

Both are ways to say something to an agent that the person who reads it does not notice; GitHub's
agent leaves them out, too. Knows nothing of where a text comes from.
"""

from __future__ import annotations

import re
import unicodedata

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
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
    parts, prose, fence = list[str](), list[str](), ""
    for line in text.splitlines(keepends=True):
        opened = _FENCE.match(line)
        inside = _COMMENT.sub("", "".join(prose)) if prose else ""
        hidden = "<!--" in "".join(prose) and _is_open("".join(prose))
        if not fence and opened and not hidden:
            parts += [inside, line]
            prose, fence = [], opened[2]
        elif fence:
            parts.append(line)
            stripped = line.strip()
            if stripped.startswith(fence) and not stripped.strip(fence[0]):
                fence = ""
        else:
            prose.append(line)
    return "".join([*parts, _COMMENT.sub("", "".join(prose))])


def _is_open(text: str) -> bool:
    """Whether a comment that began in *text* goes on after it."""
    return text.rfind("<!--") > text.rfind("-->")

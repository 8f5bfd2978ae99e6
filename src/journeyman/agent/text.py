"""What a text must look like before it is stored or shown to a model. Knows nothing of tools."""

from __future__ import annotations

import math
import re
from typing import Any

CLIP_CHARS = 30_000
"""What one tool result may take of a model's window."""
LINE_CHARS = 2_000
HEAD_SHARE = 0.6
"""The beginning says what was run, the end how it went; the end of a build log matters most."""

_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_OVERWRITTEN = re.compile(r"^.*\r(?!$)", re.MULTILINE)


def clean(text: str) -> str:
    """*text* without what UTF-8 or a database cannot hold: lone surrogates and NUL."""
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def clean_json(value: Any) -> Any:
    """`clean` for every string of a JSON value, keys included; numbers that JSON has no words for,
    as Python's reader takes them, become texts."""
    match value:
        case float() if not math.isfinite(value):
            return str(value)
        case str():
            return clean(value)
        case dict():
            return {clean(str(key)): clean_json(item) for key, item in value.items()}
        case list() | tuple():
            return [clean_json(item) for item in value]
        case _:
            return value


def plain(text: str) -> str:
    """*text* as a terminal would leave it: no escape sequences, no overwritten progress lines."""
    text = _ESCAPES.sub("", text.replace("\r\n", "\n"))
    return _OVERWRITTEN.sub("", text).replace("\r", "") if "\r" in text else text


def clip(text: str, limit: int = CLIP_CHARS) -> str:
    """*text* within about *limit* characters: its head and its tail, cut at line ends."""
    text = "\n".join(map(_clip_line, text.split("\n"))) if len(text) > LINE_CHARS else text
    if len(text) <= limit:
        return text
    head_chars = int(limit * HEAD_SHARE)
    head = text[: text.rfind("\n", 0, head_chars) + 1] or text[:head_chars]
    start = text.find("\n", len(text) - (limit - head_chars)) + 1
    tail = text[start:] if start else text[-(limit - head_chars) :]
    lines = text.count("\n", len(head), len(text) - len(tail))
    chars = len(text) - len(head) - len(tail)
    note = f"[… {lines} lines ({chars} characters) left out: narrow the command to see them …]\n"
    return f"{head}{note}{tail}"


def _clip_line(line: str) -> str:
    if len(line) <= LINE_CHARS:
        return line
    return f"{line[:LINE_CHARS]} [… {len(line) - LINE_CHARS} more characters]"

"""A command's output with its colours, as HTML that carries classes only.

What a terminal would do beyond colours (moving, titles, links) is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from markupsafe import Markup

from journeyman.web.visible import visible

MOST_LINES, MOST_WIDTH = 400, 2000
"""Of one output on a page; the rest is served as text."""
MOST_READ = 1_000_000
"""Characters that are looked at, half of them from the end."""
SEQUENCE = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]*)m"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"
    r"|\x1b[ -/]*[0-~]",
    re.DOTALL,
)
FLAGS = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
ENDS = {22: ("bold", "dim"), 23: ("italic",), 24: ("underline",), 27: ("inverse",), 29: ("strike",)}
PALETTE = (
    (0, 0, 0),
    (205, 0, 0),
    (0, 205, 0),
    (205, 205, 0),
    (0, 0, 238),
    (205, 0, 205),
    (0, 205, 205),
    (229, 229, 229),
    (127, 127, 127),
    (255, 0, 0),
    (0, 255, 0),
    (255, 255, 0),
    (92, 92, 255),
    (255, 0, 255),
    (0, 255, 255),
    (255, 255, 255),
)


@dataclass(frozen=True)
class Output:
    """What a page shows of an output. *hidden*: how many lines of its middle are left out."""

    head: Markup
    tail: Markup
    lines: int
    hidden: int
    cut: bool
    """Something is left out: lines, or the rest of a long line."""


@dataclass(frozen=True)
class Style:
    flags: frozenset[str] = frozenset()
    foreground: int | None = None
    background: int | None = None

    @property
    def classes(self) -> str:
        names = [f"t-{flag}" for flag in sorted(self.flags)]
        if self.foreground is not None:
            names.append(f"fg-{self.foreground}")
        if self.background is not None:
            names.append(f"bg-{self.background}")
        return " ".join(names)


def output(text: str, *, most_lines: int = MOST_LINES) -> Output:
    if not text:
        return Output(Markup(), Markup(), 0, 0, cut=False)
    count = text.count("\n", 0, -1) + 1
    ends = (
        text if len(text) <= MOST_READ else f"{text[: MOST_READ // 2]}\n{text[-MOST_READ // 2 :]}"
    )
    lines = [_last_written(line) for line in ends.rstrip("\n").replace("\r\n", "\n").split("\n")]
    head, tail = lines, list[str]()
    if len(lines) > most_lines:
        head, tail = lines[: most_lines // 2], lines[-(most_lines // 2) :]
    hidden = max(0, count - len(head) - len(tail))
    cut = hidden > 0 or len(ends) < len(text) or any(len(x) > MOST_WIDTH for x in (*head, *tail))
    return Output(_render(head), _render(tail), count, hidden, cut)


def _last_written(line: str) -> str:
    """What a terminal shows of a line that was written over, as progress bars are."""
    return line.rstrip("\r").rpartition("\r")[2]


def _render(lines: list[str]) -> Markup:
    shown = "\n".join(_shortened(line) for line in lines)
    return Markup("").join(_spans(shown))


def _shortened(line: str) -> str:
    if len(line) <= MOST_WIDTH:
        return line
    return f"{line[:MOST_WIDTH]} … {len(line) - MOST_WIDTH:,} more characters"


def _spans(text: str) -> Iterator[Markup]:
    style, position = Style(), 0
    for found in SEQUENCE.finditer(text):
        yield _span(text[position : found.start()], style)
        position = found.end()
        if found["sgr"] is not None:
            style = _styled(style, found["sgr"])
    yield _span(text[position:], style)


def _span(text: str, style: Style) -> Markup:
    if not text:
        return Markup("")
    if not style.classes:
        return Markup("{}").format(visible(text))
    return Markup('<span class="{}">{}</span>').format(style.classes, visible(text))


def _styled(style: Style, parameters: str) -> Style:
    codes = [int(code[:6]) if code else 0 for code in re.split("[;:]", parameters)]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = Style()
        elif code in FLAGS:
            style = replace(style, flags=style.flags | {FLAGS[code]})
        elif code in ENDS:
            style = replace(style, flags=style.flags - set(ENDS[code]))
        elif code in (38, 48):
            style = _coloured(style, code - 30, _extended(codes))
        else:
            style = _plain_colour(style, code)
    return style


def _plain_colour(style: Style, code: int) -> Style:
    for base, bright in ((30, 90), (40, 100)):
        if base <= code <= base + 7:
            return _coloured(style, base - 22, code - base)
        if code == base + 9:
            return _coloured(style, base - 22, None)
        if bright <= code <= bright + 7:
            return _coloured(style, base - 22, code - bright + 8)
    return style


def _coloured(style: Style, layer: int, colour: int | None) -> Style:
    """*layer*: 8 for the text, 18 for what is behind it."""
    if layer == 8:
        return replace(style, foreground=colour)
    return replace(style, background=colour)


def _extended(codes: list[int]) -> int | None:
    """`5;n` or `2;r;g;b`, taken from *codes*, as the nearest of the sixteen."""
    kind = codes.pop(0) if codes else 0
    if kind == 5 and codes:
        return _of_256(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        return _nearest((codes.pop(0), codes.pop(0), codes.pop(0)))
    return None


def _of_256(number: int) -> int | None:
    if number < 16:
        return number
    if number >= 232:
        grey = min(255, 8 + 10 * (number - 232))
        return _nearest((grey, grey, grey))
    number -= 16
    return _nearest((number // 36 * 51, number // 6 % 6 * 51, number % 6 * 51))


def _nearest(colour: tuple[int, int, int]) -> int:
    def distance(index: int) -> int:
        return sum((a - b) ** 2 for a, b in zip(colour, PALETTE[index], strict=True))

    return min(range(16), key=distance)

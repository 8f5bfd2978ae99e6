"""The geometry of charts, for templates to draw as SVG. Knows nothing of what is drawn.

A chart is SPAN high and a unit wide for each column; the page stretches it to the room there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SPAN = 100
GAP = 0.16
"""Between two columns, as a part of a column's unit."""
ROUND = (1, 1.5, 2, 3, 4, 5, 6, 8, 10)
"""What half a scale may be, times a power of ten."""
ROUND_SECONDS = (
    *(1, 2, 4, 10, 20, 30, 60, 120, 240, 600, 1200, 1800),
    *(3600 * hours for hours in (1, 2, 4, 8, 12, 24, 48, 96, 240)),
)


@dataclass(frozen=True)
class Segment:
    """A part of a column."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True)
class Column:
    x: float
    width: float
    segments: tuple[Segment, ...]


def ceiling(greatest: float, least: float) -> float:
    """A round number that is no less than *greatest*, nor than *least*; so is its half."""
    return 2 * next(half for half in _round_from(max(greatest, least) / 2))


def ceiling_count(greatest: int) -> int:
    """As `ceiling`, with a half that can be counted."""
    halves = _round_from(max(greatest, 2) / 2)
    return 2 * int(next(half for half in halves if half.is_integer()))


def ceiling_seconds(greatest: float) -> float:
    """As `ceiling`, round as people count time."""
    return next((step for step in ROUND_SECONDS if step >= greatest), ceiling(greatest, 1))


def _round_from(number: float) -> Iterator[float]:
    unit = 10.0 ** math.floor(math.log10(number))
    # What a sum of floats misses by must not cost a whole step.
    return (step * unit for step in ROUND if step * unit >= number * (1 - 1e-9))


def columns(rows: Sequence[Sequence[tuple[str, float]]], top: float) -> list[Column]:
    """A column for each of *rows*, of its parts from the bottom up; *top* is as high as it gets."""
    return [
        Column(_round(place + GAP / 2), 1 - GAP, _stacked(parts, top))
        for place, parts in enumerate(rows)
    ]


def _stacked(parts: Sequence[tuple[str, float]], top: float) -> tuple[Segment, ...]:
    made, reached = [], 0.0
    for kind, amount in parts:
        if amount > 0:
            height = amount / top * SPAN
            reached += height
            made.append(Segment(kind, _round(SPAN - reached), _round(height)))
    return tuple(made)


def line(values: Sequence[float | None], top: float) -> str:
    """The path through the middles of the columns; it has a gap where a value is missing."""
    parts, drawing = [], False
    for place, value in enumerate(values):
        if value is not None:
            parts.append(f"{'L' if drawing else 'M'}{place + 0.5} {_height(value, top)}")
        drawing = value is not None
    return "".join(parts)


def dots(values: Sequence[float | None], top: float) -> str:
    """The path of the values that have no neighbours to draw a line to: each of no length."""
    around = [None, *values, None]
    return "".join(
        f"M{place + 0.5} {_height(value, top)}h0"
        for place, value in enumerate(values)
        if value is not None and around[place] is None and around[place + 2] is None
    )


def _height(value: float, top: float) -> float:
    return _round(SPAN - min(value / top, 1) * SPAN)


def _round(number: float) -> float:
    return round(number, 2)

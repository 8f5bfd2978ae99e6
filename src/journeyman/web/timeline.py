"""Where a task's time and tokens went, read from the outline of its log.

Knows nothing of HTML; the picture is numbers until a template draws it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from journeyman.domain.browsing import Mark
from journeyman.domain.events import EventType
from journeyman.domain.queries import Cursor
from journeyman.domain.sessions import FINAL, Session, State

WIDTH, HEIGHT = 1000.0, 22.0
MOST_BARS = 200
WAITING = frozenset({"queue", "user", "idle"})
WAITING_SHARE = 0.15
"""Of the working time: the longest that one wait is drawn, or a night would hide the work."""
OF_STATE: Mapping[str, str] = {
    State.QUEUED: "queue",
    State.IN_PROGRESS: "setup",
    State.WAITING_FOR_USER: "user",
    State.IDLE: "idle",
}
OF_EVENT = {
    EventType.SESSION_START: "setup",
    EventType.SESSION_RESUME: "setup",
    EventType.TURN_START: "model",
    EventType.MESSAGE: "setup",
    EventType.ABORT: "setup",
}
NAMES = {
    "queue": "in the queue",
    "setup": "preparing and saving",
    "model": "model",
    "tool": "tools",
    "user": "waiting for an answer",
    "idle": "paused",
}


@dataclass(frozen=True)
class Span:
    kind: str
    start: datetime
    end: datetime
    at: Cursor

    @property
    def seconds(self) -> float:
        return (self.end - self.start).total_seconds()


@dataclass(frozen=True)
class Bar:
    """One piece of the picture, from *x* on, in units of which it has WIDTH."""

    kind: str
    x: float
    width: float
    seconds: float
    at: Cursor
    y: float = 0.0
    height: float = HEIGHT

    @property
    def name(self) -> str:
        return NAMES[self.kind]


@dataclass
class Totals:
    """What models were asked for; *nano_credits* is None when nothing had a price."""

    models: Counter[str] = field(default_factory=Counter)
    turns: int = 0
    tools: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    nano_credits: int | None = None


@dataclass(frozen=True)
class Timeline:
    bars: Sequence[Bar]
    seconds: Mapping[str, float]
    """By kind, in the order of NAMES."""
    totals: Totals

    @property
    def shares(self) -> list[tuple[str, str, float]]:
        return [(kind, NAMES[kind], value) for kind, value in self.seconds.items()]


def of(marks: Sequence[Mark], sessions: Sequence[Session], now: datetime) -> Timeline:
    spans = [span for session in sessions for span in _spans(marks, session, now)]
    spent: defaultdict[str, float] = defaultdict(float)
    for span in spans:
        spent[span.kind] += span.seconds
    seconds = {kind: spent[kind] for kind in NAMES if spent[kind] > 0}
    return Timeline(_drawn(spans, seconds), seconds, _totals(marks))


def _spans(marks: Sequence[Mark], session: Session, now: datetime) -> Iterable[Span]:
    kind: str | None = "queue"
    since, at, open_calls = session.created_at, Cursor(session.number, 1), 0
    for mark in marks:
        if mark.cursor.session_number != session.number:
            continue
        if mark.type is EventType.TOOL_START:
            open_calls += 1
        elif mark.type is EventType.TOOL_COMPLETE:
            open_calls = max(0, open_calls - 1)
        new = _kind_after(mark, kind, open_calls)
        if new != kind:
            if kind is not None and mark.created_at > since:
                yield Span(kind, since, mark.created_at, at)
            kind, since, at = new, mark.created_at, mark.cursor
    if kind is not None and not session.ended and now > since:
        yield Span(kind, since, now, at)


def _kind_after(mark: Mark, kind: str | None, open_calls: int) -> str | None:
    if mark.type is EventType.SESSION_STATE:
        state = str(mark.data.get("state"))
        return None if state in FINAL else OF_STATE.get(state, kind)
    if mark.type in (EventType.TOOL_START, EventType.TOOL_COMPLETE):
        return "tool" if open_calls else "setup"
    return OF_EVENT.get(mark.type, kind)


def _drawn(spans: Sequence[Span], seconds: Mapping[str, float]) -> Sequence[Bar]:
    busy = sum(value for kind, value in seconds.items() if kind not in WAITING)
    longest = max(WAITING_SHARE * busy, 1.0)
    lengths = [min(s.seconds, longest) if s.kind in WAITING else s.seconds for s in spans]
    whole = sum(lengths)
    if not whole:
        return ()
    bars, x = list[Bar](), 0.0
    for span, length in zip(spans, lengths, strict=True):
        width = length / whole * WIDTH
        bars.append(Bar(span.kind, x, width, span.seconds, span.at))
        x += width
    return bars if len(bars) <= MOST_BARS else _merged(bars)


def _merged(bars: Sequence[Bar]) -> Sequence[Bar]:
    """As many columns as can be told apart, each shared by the kinds that are in it."""
    columns: list[list[Bar]] = [[] for _ in range(MOST_BARS)]
    for bar in bars:
        columns[min(MOST_BARS - 1, int(bar.x / WIDTH * MOST_BARS))].append(bar)
    return [piece for column in columns if column for piece in _column(column)]


def _column(bars: Sequence[Bar]) -> Iterable[Bar]:
    whole, y = sum(bar.width for bar in bars), 0.0
    for kind in NAMES:
        own = [bar for bar in bars if bar.kind == kind]
        if own:
            height = sum(bar.width for bar in own) / whole * HEIGHT
            seconds = sum(bar.seconds for bar in own)
            yield Bar(kind, bars[0].x, whole, seconds, own[0].at, y, height)
            y += height


def _totals(marks: Iterable[Mark]) -> Totals:
    totals = Totals()
    for mark in marks:
        totals.tools += mark.type is EventType.TOOL_START
        totals.turns += mark.type is EventType.TURN_START
        if mark.type is EventType.USAGE:
            totals.models[str(mark.data.get("model", ""))] += 1
            totals.input_tokens += _number(mark, "inputTokens")
            totals.output_tokens += _number(mark, "outputTokens")
            totals.cached_tokens += _number(mark, "cacheReadTokens")
            if mark.data.get("cost") is not None:
                totals.nano_credits = (totals.nano_credits or 0) + _number(mark, "cost")
    return totals


def _number(mark: Mark, name: str) -> int:
    value = mark.data.get(name)
    return value if isinstance(value, int) else 0


def elapsed(sessions: Sequence[Session], now: datetime) -> timedelta:
    """From the first request to the end, or to now."""
    return (sessions[-1].completed_at or now) - sessions[0].created_at

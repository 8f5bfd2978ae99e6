"""How the work went, as charts and as the tables behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from starlette.requests import Request
from starlette.responses import Response

from journeyman.domain.overview import Day, Overview, Share, Times
from journeyman.domain.repositories import Repository
from journeyman.domain.sessions import State
from journeyman.service import Services
from journeyman.web import addresses, charts
from journeyman.web.charts import Column
from journeyman.web.desk import Desk
from journeyman.web.session import Visit

RANGES = (7, 30, 90)
SHOWN_FIRST = 30
GROUPS: Mapping[str, tuple[State, ...]] = {
    "completed": (State.COMPLETED,),
    "failed": (State.FAILED, State.TIMED_OUT),
    "cancelled": (State.CANCELLED,),
    "waiting": (State.WAITING_FOR_USER, State.IDLE),
    "working": (State.IN_PROGRESS, State.QUEUED),
}
"""What is drawn in one colour, from the bottom up; as the tabs of the list have it."""
DOLLAR = 1e11
"""In nano credits; a credit is a cent."""


@dataclass(frozen=True)
class Counted:
    """Tasks by day."""

    top: int
    columns: Sequence[Column]
    rows: Sequence[tuple[date, Mapping[str, int]]]
    totals: Mapping[str, int]


@dataclass(frozen=True)
class Curve:
    """Paths: through days that follow each other, and of those that stand alone."""

    line: str
    dots: str


@dataclass(frozen=True)
class Timed:
    """One kind of time by day."""

    top: float
    p50: Curve
    p90: Curve
    rows: Sequence[tuple[date, Times | None]]


@dataclass(frozen=True)
class Priced:
    """Money by day, in nano credits."""

    top: float
    columns: Sequence[Column]
    rows: Sequence[tuple[date, int]]


@dataclass(frozen=True)
class Bars:
    """What was spent, by one kind of name; *widths* in hundredths of the greatest."""

    rows: Sequence[tuple[Share, float]]


class Overviewing:
    def __init__(self, desk: Desk, services: Services) -> None:
        self._desk = desk
        self._services = services

    async def show(self, request: Request, visit: Visit) -> Response:
        principal = await self._desk.principal(request, visit)
        asked = request.query_params
        repository = await self._chosen(request, visit)
        days = _days(asked.get("days", ""))
        found = await self._services.overviews.look(principal, days, repository)
        chosen = repository.full_name if repository else ""
        return self._desk.page(
            "overview.html",
            visit,
            found=found,
            days=days,
            ranges=[(one, _address(one, chosen)) for one in RANGES],
            repositories=await self._services.browsing.repositories(principal),
            chosen_repository=chosen,
            counted=_counted(found.days),
            in_queue=_timed(found.days, lambda day: day.in_queue),
            to_completion=_timed(found.days, lambda day: day.to_completion),
            priced=_priced(found),
            spending=[
                ("By repository", _bars(found.spending.by_repository)),
                ("By user", _bars(found.spending.by_user)),
                ("By model", _bars(found.spending.by_model)),
            ],
        )

    async def _chosen(self, request: Request, visit: Visit) -> Repository | None:
        owner, _, name = request.query_params.get("repository", "").partition("/")
        if not owner or not name:
            return None
        principal = await self._desk.principal(request, visit)
        return (await self._services.identity.access(principal, owner, name)).repository


def _days(text: str) -> int:
    return next((days for days in RANGES if text == str(days)), SHOWN_FIRST)


def _address(days: int, repository: str) -> str:
    return addresses.with_query(addresses.OVERVIEW, {"days": days, "repository": repository})


def _counted(days: Sequence[Day]) -> Counted:
    rows = [(day.day, _grouped(day.states)) for day in days]
    top = charts.ceiling_count(max(sum(counts.values()) for _, counts in rows))
    return Counted(
        top,
        charts.columns([list(counts.items()) for _, counts in rows], top),
        rows,
        {name: sum(counts[name] for _, counts in rows) for name in GROUPS},
    )


def _grouped(states: Mapping[State, int]) -> Mapping[str, int]:
    return {name: sum(states.get(one, 0) for one in group) for name, group in GROUPS.items()}


def _timed(days: Sequence[Day], of: Callable[[Day], Times | None]) -> Timed:
    known = [of(day) for day in days]
    top = charts.ceiling_seconds(max((one.p90_seconds for one in known if one), default=0))
    half = [one.p50_seconds if one else None for one in known]
    most = [one.p90_seconds if one else None for one in known]
    return Timed(
        top,
        Curve(charts.line(half, top), charts.dots(half, top)),
        Curve(charts.line(most, top), charts.dots(most, top)),
        [(day.day, of(day)) for day in days],
    )


def _priced(found: Overview) -> Priced:
    rows = [(day.day, day.nano_credits) for day in found.days]
    top = charts.ceiling(max(amount for _, amount in rows) / DOLLAR, least=0.01) * DOLLAR
    return Priced(top, charts.columns([[("cost", amount)] for _, amount in rows], top), rows)


def _bars(shares: Sequence[Share]) -> Bars:
    """By money; by tokens where nothing has a price."""
    priced = any(share.spent.nano_credits for share in shares)
    sizes = [
        share.spent.nano_credits if priced else share.spent.input_tokens + share.spent.output_tokens
        for share in shares
    ]
    greatest = max(sizes, default=0) or 1
    return Bars(
        [
            (share, round(size / greatest * 100, 2))
            for share, size in zip(shares, sizes, strict=True)
        ]
    )

"""HTTP requests as an operator sees them: counted by route, timed, traced, with an id in each line
of the log. Pure ASGI; knows no route."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.contextvars import bound_contextvars

from journeyman.telemetry import metrics, traces
from journeyman.telemetry.traces import Span, SpanKind, Status, StatusCode

KEY = "journeyman.seen"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
PROBES = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked all the time, and told to no collector."""
CLOSED, FAILED = 499, 500
"""The status of a request whose client left before the answer, or that failed without one."""

log = structlog.get_logger()


@dataclass(slots=True)
class Seen:
    """What is found out about one request while it is answered."""

    request_id: str
    started: float
    route: str = "other"
    """As it is written in the table of routes; `other` where none was found."""
    status: int = 0


def note_route(scope: Scope, template: str | None = None) -> None:
    """Say which route answers: *template*, or the one that Starlette's router has chosen."""
    seen: Seen | None = scope.get(KEY)
    if seen is not None:
        seen.route = template or scope["route"].path


def request_id(scope: Scope) -> str | None:
    seen: Seen | None = scope.get(KEY)
    return None if seen is None else seen.request_id


class Observed:
    """Around everything that a server answers. *new_id* makes a request's id."""

    def __init__(self, app: ASGIApp, new_id: Callable[[], str]) -> None:
        self._app = app
        self._new_id = new_id

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seen = Seen(self._new_id(), time.perf_counter())
        scope = {**scope, KEY: seen}

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen.status = message["status"]
                _began(scope, seen)
            await send(message)

        without_answer = FAILED
        try:
            with bound_contextvars(request_id=seen.request_id):
                if scope["path"] in PROBES:
                    await self._app(scope, receive, answer)
                else:
                    await self._traced(scope, seen, receive, answer)
            without_answer = CLOSED
        finally:
            if not seen.status:
                seen.status = without_answer
                _began(scope, seen)

    async def _traced(self, scope: Scope, seen: Seen, receive: Receive, send: Send) -> None:
        pairs = scope["headers"]
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in pairs}
        method = _method(scope)
        attributes = {"http.request.method": method, "url.scheme": scope["scheme"]}
        with (
            traces.joined(headers, of_caller=True),
            traces.span(method, attributes, kind=SpanKind.SERVER) as span,
        ):
            try:
                await self._app(scope, receive, send)
            finally:
                _describe(span, method, seen)


def _began(scope: Scope, seen: Seen) -> None:
    """At the first byte of an answer: a stream goes on for hours."""
    method, seconds = _method(scope), time.perf_counter() - seen.started
    metrics.REQUESTS.labels(method, seen.route, str(seen.status)).inc()
    metrics.REQUEST.labels(method, seen.route).observe(seconds)
    log.debug(
        "http.request",
        method=method,
        route=seen.route,
        status=seen.status,
        milliseconds=round(seconds * 1000, 1),
    )


def _describe(span: Span, method: str, seen: Seen) -> None:
    if not span.is_recording():
        return
    span.update_name(f"{method} {seen.route}")
    span.set_attribute("http.route", seen.route)
    span.set_attribute("http.response.status_code", seen.status or CLOSED)
    span.set_attribute("journeyman.request.id", seen.request_id)
    if seen.status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _method(scope: Scope) -> str:
    """Clients may write anything here."""
    return scope["method"] if scope["method"] in METHODS else "_OTHER"

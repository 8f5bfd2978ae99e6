"""One stretch of work, timed: a sample of a histogram, and a span."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import Histogram

from journeyman.telemetry import traces
from journeyman.telemetry.traces import Span, SpanKind, Value


@contextmanager
def measured(
    name: str,
    histogram: Histogram,
    *labels: str,
    attributes: Mapping[str, Value | None] | None = None,
    kind: SpanKind = SpanKind.INTERNAL,
) -> Iterator[Span]:
    """*labels* are those of *histogram* but its last, which is how it ended: ok, failed,
    cancelled."""
    started, outcome = time.perf_counter(), "failed"
    try:
        with traces.span(name, attributes, kind=kind) as span:
            yield span
        outcome = "ok"
    except (asyncio.CancelledError, GeneratorExit):
        outcome = "cancelled"
        raise
    finally:
        histogram.labels(*labels, outcome).observe(time.perf_counter() - started)

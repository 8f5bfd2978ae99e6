"""Spans, where the environment names an OpenTelemetry collector; elsewhere nothing, at no cost.

The SDK is imported by `configure` alone. It reads the rest of its settings (`OTEL_SERVICE_NAME`,
headers, sampling, limits) from the environment itself, as everywhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE = "journeyman"
Value = str | bool | int | float
W3C = TraceContextTextMapPropagator()

_provider: TracerProvider | None = None
_callers: TextMapPropagator = W3C
"""What is understood of a caller's headers: OTEL_PROPAGATORS says."""
_tracer: Tracer | None = None

__all__ = [
    "Span",
    "SpanKind",
    "Status",
    "StatusCode",
    "carrier",
    "configure",
    "describe",
    "ids",
    "joined",
    "shutdown",
    "span",
]


def configure(version: str, process: str) -> None:
    """Begin to export over OTLP/HTTP. *process* is what this one does: serve, worker."""
    global _callers, _provider, _tracer
    from opentelemetry import propagate  # noqa: PLC0415 - reads the environment when imported
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415 - slow
        OTLPSpanExporter,
    )
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415

    own = {"service.name": SERVICE, "service.version": version, "journeyman.process": process}
    resource = Resource.create(own).merge(OTELResourceDetector().detect())
    _provider = TracerProvider(resource=resource)
    _provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    _tracer = _provider.get_tracer(SERVICE, version)
    _callers = propagate.get_global_textmap()


def shutdown() -> None:
    """Send what is still here. Blocks until it is sent, or until the exporter gives up."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


@contextmanager
def span(
    name: str,
    attributes: Mapping[str, Value | None] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    start_ns: int | None = None,
) -> Iterator[Span]:
    """A span under the current one; None among *attributes* is left out.

    An exception ends it as an error, and is recorded by its type alone: messages may quote what
    no collector should keep.
    """
    if _tracer is None:
        yield trace.INVALID_SPAN
        return
    known = {key: value for key, value in (attributes or {}).items() if value is not None}
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=known,
        start_time=start_ns,
        record_exception=False,
        set_status_on_exception=False,
    ) as begun:
        try:
            yield begun
        except BaseException as error:
            begun.set_attribute("error.type", type(error).__name__)
            begun.set_status(Status(StatusCode.ERROR))
            raise


def describe(attributes: Mapping[str, Value]) -> None:
    """Add to the current span."""
    trace.get_current_span().set_attributes(attributes)


def carrier() -> dict[str, str]:
    """The current span in W3C's headers, to be taken elsewhere."""
    headers: dict[str, str] = {}
    if _tracer is not None:
        W3C.inject(headers)
    return headers


@contextmanager
def joined(headers: Mapping[str, str], *, of_caller: bool = False) -> Iterator[None]:
    """Spans inside are below the one that *headers* carry; what is not understood is ignored.
    *of_caller*: they are not our own, and the operator may want none of them."""
    if _tracer is None:
        yield
        return
    propagator = _callers if of_caller else W3C
    token = attach(propagator.extract(headers, context=Context()))
    try:
        yield
    finally:
        detach(token)


def ids() -> dict[str, str]:
    """Of the current span, for a line of the log."""
    current = trace.get_current_span().get_span_context() if _tracer is not None else None
    if current is None or not current.is_valid:
        return {}
    return {
        "trace_id": trace.format_trace_id(current.trace_id),
        "span_id": trace.format_span_id(current.span_id),
    }

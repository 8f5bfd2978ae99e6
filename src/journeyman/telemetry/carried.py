"""The context of a request, taken over the queue to the worker that does what it asked for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import structlog
from structlog.contextvars import bind_contextvars, bound_contextvars

from journeyman.telemetry import metrics, traces

Carried = Mapping[str, str]
"""Plain JSON: `queued_ns` (Unix time), and where they are known `request_id`, `task_id`,
`traceparent`."""


def carry(task_id: str) -> dict[str, str]:
    """Called where something is queued."""
    asked = bound("request_id")
    ids = {"task_id": task_id} if asked is None else {"task_id": task_id, "request_id": asked}
    return {"queued_ns": str(time.time_ns()), **ids, **traces.carrier()}


def bound(field: str) -> str | None:
    """A field that each line of the log has here."""
    found: str | None = structlog.contextvars.get_contextvars().get(field)
    return found


@contextmanager
def resumed(carried: Carried, **ids: object) -> Iterator[None]:
    """Lines of the log and spans inside belong to where *carried* came from; *ids* are more fields
    of each line."""
    known = {name: carried[name] for name in ("request_id", "task_id") if name in carried}
    with bound_contextvars(**known, **ids), traces.joined(carried):
        yield


def tell(**ids: str) -> None:
    """Fields of each further line of the log here, and of the current span."""
    bind_contextvars(**ids)
    traces.describe({f"journeyman.{name.replace('_', '.')}": value for name, value in ids.items()})


def waited(carried: Carried) -> None:
    """Called where what was queued is begun."""
    if "queued_ns" not in carried:
        return
    queued_ns = int(carried["queued_ns"])
    metrics.QUEUE_WAIT.observe(max(time.time_ns() - queued_ns, 0) / 1e9)
    with traces.span("queue.wait", start_ns=queued_ns):
        pass
